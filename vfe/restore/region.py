"""What of a file is restored: whole frames, faces, or both."""

from __future__ import annotations

from dataclasses import dataclass

from ..face.track.tracks import FaceTracks


@dataclass(frozen=True)
class RegionPlan:
    """What is restored, and what a person should know of it."""

    whole_frames: bool
    tracks: FaceTracks | None
    """The faces that are restored, in whole frames by the part that knows faces; None where there is no such part."""
    notes: tuple[str, ...] = ()


WHOLE_FRAMES = RegionPlan(True, None)
"""The plan where nothing depends on where faces are."""
