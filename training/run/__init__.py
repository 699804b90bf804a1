"""A run: its loop, checkpoints, report, learning rate, average of weights, and processes."""
