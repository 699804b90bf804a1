"""Which model files exist, where they are, and how to get those that are missing."""
