"""Which files are images and which videos, by the ends of their names. Needs nothing but Python."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""What is read and written."""
READ_SUFFIXES = IMAGE_SUFFIXES | {".jfif", ".jpe", ".heic", ".heif", ".hif", ".avif"}
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mkv", ".mov")
"""What is written; everything that is no image is read as a video."""
