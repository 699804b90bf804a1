"""What a source may give: clips that can be cut out of it, and stretches of which none can."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from ..face.track.tracks import FaceTracks
from ..files.fingerprint import fingerprint
from ..types import Stretch
from ..video.files import find_input
from ..video.frame_table import FrameTable
from .config import ClipConfig, MaskKind
from .sources import Part, Source
from .steady import SteadyFace, steady_face
from .stretches import stretches_of
from .window import Rejected, Window, window_of


@dataclass(frozen=True)
class Candidate:
    """A clip that can be cut out of a source with this content."""

    content: str
    stretch: Stretch
    window: Window
    side: int
    mask: MaskKind

    @property
    def clip(self) -> str:
        """The name of its files, which tells what is in them: 16 letters of a SHA-256."""
        return _hash(self._pixels, self.mask)[:16]

    def key(self, scorer: str) -> str:
        """Return what a verdict is known by: the pixels, and the key of the scorer with its prompt and settings."""
        return _hash(self._pixels, scorer)

    @property
    def _pixels(self) -> tuple[object, ...]:
        return self.content, self.stretch.start, self.stretch.stop, *self.window, self.side


class Dropped(NamedTuple):
    """A stretch of which no clip can be cut out."""

    start: int
    stop: int
    reason: str


def content_of(source: Source) -> str:
    """Return what tells the content of a source from all others. Raises VFEError and OSError as reading does."""
    found = find_input(source.path)
    if found.kind == "images":
        return _hash(*(fingerprint(image) for image in found.images))
    return fingerprint(source.path)


def surveyed_as(content: str, source: Source) -> str:
    """Return the name of the folder of the survey of a content, which depends on the parts that are looked at."""
    return _hash(content, *((part.start, part.stop, part.unit) for part in source.parts))[:16]


def stretches_in(source: Source, table: FrameTable, tracks: FaceTracks, config: ClipConfig) -> list[Stretch]:
    """Return the stretches of a surveyed source; a portrait is one of a single frame.

    What of a shot is before its first face and after its last one is no part of any, unless there is no face in it.
    """
    if source.kind == "hq_image":
        return [Stretch(0, 1)]
    shots = [shot for shot in tracks.shots if not source.parts or part_at(source, table, shot[0]) is not None]
    return [stretch for shot in shots for stretch in stretches_of(*_with_faces(shot, tracks), config)]


def _with_faces(shot: tuple[int, int], tracks: FaceTracks) -> tuple[int, int]:
    """Return the frames of a shot from its first face to its last one; all of them where there is none."""
    there = [track for track in tracks.tracks if shot[0] <= track.start < shot[1]]
    return (min(track.start for track in there), max(track.stop for track in there)) if there else shot


def part_at(source: Source, table: FrameTable, frame: int) -> Part | None:
    """Return the part that a frame is in; None where it is in none."""
    seconds = 0.0
    if table.pts is not None and table.time_base is not None:
        seconds = float((table.pts[frame] - table.pts[0]) * table.time_base)
    at = {"frames": float(frame), "seconds": seconds}
    return next((part for part in source.parts if part.start <= at[part.unit] < part.stop), None)


def face_in(
    source: Source, table: FrameTable, tracks: FaceTracks, stretch: Stretch, config: ClipConfig
) -> tuple[SteadyFace, Window] | Rejected:
    """Return the face of a stretch and the window around it."""
    part = part_at(source, table, stretch.start)
    near = None if part is None or part.region is None else part.region.within(tracks.width, tracks.height)
    face = steady_face(tracks, stretch, near, config)
    if isinstance(face, Rejected):
        return face
    window = window_of(face.boxes, (tracks.width, tracks.height), face.size, config)
    return window if isinstance(window, Rejected) else (face, window)


def _hash(*parts: object) -> str:
    """Return the SHA-256 of values of plain types."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
