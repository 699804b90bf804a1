"""Faces in one frame: boxes, five landmarks and masks, by the bundled nets or by facexlib's.

The names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .detector import CloseFace as CloseFace
    from .detector import DetectConfig as DetectConfig
    from .detector import Face as Face
    from .detector import FaceDetector as FaceDetector
    from .facexlib import HeavyConfig as HeavyConfig
    from .facexlib import HeavyFaceDetector as HeavyFaceDetector

_OF_FACEXLIB = ("HeavyConfig", "HeavyFaceDetector")
__all__ = ["CloseFace", "DetectConfig", "Face", "FaceDetector", "HeavyConfig", "HeavyFaceDetector"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import detector, facexlib

    return getattr(facexlib if name in _OF_FACEXLIB else detector, name)
