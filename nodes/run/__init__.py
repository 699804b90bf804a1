"""What a node does when it runs: the one step and the exact decoding, with progress and cancelling."""
