"""Faces out of frames and back: crop windows and aligned crops, resampling, soft masks, colour."""
