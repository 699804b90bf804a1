"""Clips to train on, sheets of them, and the clips that judge a run."""
