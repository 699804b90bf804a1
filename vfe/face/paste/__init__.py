"""Faces out of frames and back: crop boxes and aligned crops, resampling, soft masks, colour."""
