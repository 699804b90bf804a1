"""Luma: how bright a pixel is, from the values of its colour as they are stored."""

from __future__ import annotations

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in it (ITU-R BT.601), which is what still pictures and the codecs here assume."""
