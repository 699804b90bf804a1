"""Faces: found in a frame, followed through a clip, cut out, pasted back, and drawn.

The packages in here are imported when they are first used, so that `import vfe` is enough to write
`vfe.face.detect.FaceDetector.load()` and does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import detect as detect
    from . import draw as draw
    from . import paste as paste
    from . import track as track

__all__ = ["detect", "draw", "paste", "track"]
_OLDER_NAMES = ("heavy", "tracker")


def __getattr__(name: str) -> object:
    if name in __all__ or name in _OLDER_NAMES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
