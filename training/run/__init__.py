"""How a stage is trained: the loop, checkpoints, reports, learning rate, moving average, and several processes."""
