"""Faces through a clip: shots, tracks of one person each, and the choice among them.

The names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .select import FaceSelection as FaceSelection
    from .tracker import FaceTracker as FaceTracker
    from .tracker import TrackConfig as TrackConfig
    from .tracker import track_faces as track_faces
    from .tracks import FaceTrack as FaceTrack
    from .tracks import FaceTracks as FaceTracks

__all__ = ["FaceSelection", "FaceTrack", "FaceTracker", "FaceTracks", "TrackConfig", "track_faces"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import select, tracker, tracks

    return getattr({"FaceSelection": select, "FaceTrack": tracks, "FaceTracks": tracks}.get(name, tracker), name)
