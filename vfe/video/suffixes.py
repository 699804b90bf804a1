"""Which files are images and which videos, by the ends of their names. It needs nothing but Python."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""The images that are both read and written."""
READ_SUFFIXES = IMAGE_SUFFIXES | {".jfif", ".jpe", ".heic", ".heif", ".hif", ".avif"}
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mkv", ".mov")
"""The videos that are written; everything that is no image is read as a video."""
