"""What of a file is restored: whole frames, faces, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..face.track.tracks import FaceTracks


class Pictures(Protocol):
    """What is known of the frames of a source before they are read: sizes in pixels, and how many there may be."""

    @property
    def path(self) -> Path | str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frames(self) -> int | None: ...


@dataclass(frozen=True)
class RegionPlan:
    """What is restored, and what a person should know of it."""

    whole_frames: bool
    tracks: FaceTracks | None
    """The faces that are restored, in whole frames by the part that knows faces; None where there is no such part."""
    notes: tuple[str, ...] = ()


WHOLE_FRAMES = RegionPlan(True, None)
"""The plan where nothing depends on where faces are."""
