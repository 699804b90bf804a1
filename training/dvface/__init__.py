"""The restorers that the stage dvface trains: lite, and Wan2.1 with an adapter."""
