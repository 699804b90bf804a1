"""Watches a run: measures every few frames of it before and after, and keeps no frame.

Pixels are (3, H, W) in [-1, 1]; those before have the size of those after.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.track.shots import THUMBNAIL_SIDE, CutFinder
from ..face.track.tracks import FaceTracks
from ..pipeline.windows import ClipPart
from .colour import ColourShift, colour_shift
from .even import EvenSample, spacing
from .faces import FaceMeter, MeasuredFace
from .likeness import load_likeness
from .likeness_scale import LikenessScale
from .picture import jpeg

MOST_STILLS = 6
STILL_SIDE = 720
"""The longest side of a still in pixels."""
MOST_COLOURS, COLOUR_EVERY = 400, 4
"""How many frames are measured as a whole at most, and one of how many in a short clip."""
MOST_PICTURED = 200
"""Pictures are kept of no more faces."""


class Still(NamedTuple):
    """A whole frame before and after: JPEG files."""

    before: bytes
    after: bytes


@dataclass(frozen=True)
class Measured:
    """What a `RunWatcher` saw."""

    cuts: tuple[int, ...]
    """The first frames of the second, third and further shots."""
    colours: tuple[tuple[int, ColourShift], ...]
    """The shift of the colours on some frames, in order."""
    stills: tuple[tuple[int, Still], ...]
    faces: tuple[MeasuredFace, ...]
    """Those that were watched, in the order of their tracks."""
    likeness: LikenessScale | None
    """What the likeness of the faces was measured with; None where there are none."""


class RunWatcher:
    """Takes the frames of a run twice: as they come, and as they are written, some frames later."""

    def __init__(self, tracks: FaceTracks | None, frames: int | None = None, part: ClipPart | None = None) -> None:
        """`tracks` are the faces that are restored, None where faces were not looked for; `frames` is the length of
        the clip, as the file tells it if it does.

        Of a part of a clip, the frames that are wanted come and no others. They are measured where they are in a run
        over the whole clip, so that `joined` makes the same of all parts; cuts are looked for in whole clips alone.
        """
        self._tracks = tracks
        self._faces = _meters(tracks, part) if tracks is not None else ()
        self._wanting: defaultdict[int, list[FaceMeter]] = defaultdict(list)  # what measures a face, by the frame
        for meter in self._faces:
            for frame in meter.frames:
                self._wanting[frame].append(meter)
        self._cuts = CutWatcher() if tracks is None and part is None else None
        self._colours: EvenSample[ColourShift] = EvenSample(MOST_COLOURS, colour_spacing(part))
        self._stills: EvenSample[Still] = EvenSample(MOST_STILLS, _still_spacing(frames, part))
        self._taken = self._seen = 0 if part is None else part.wanted.start

    def take(self, before: Tensor) -> bool:
        """Take the next frame as it comes; return whether it is wanted again beside what it becomes."""
        if self._cuts is not None:
            self._cuts.push(before)
        self._taken += 1
        return self._wants(self._taken - 1)

    def see(self, before: Tensor, after: Tensor) -> None:
        """Take the next frame that is written; `before` is looked at only where it was wanted."""
        if self._wants(self._seen):
            with torch.inference_mode():
                self._measure(self._seen, before, after.to(before).clamp(-1, 1))
        self._seen += 1

    def measured(self) -> Measured:
        """Return everything, when no frame follows."""
        cuts = self._cuts.finish() if self._cuts is not None else self._tracks.cuts if self._tracks else ()
        faces = tuple(meter.measured() for meter in self._faces)
        scale = self._faces[0].likeness.scale if self._faces else None
        return Measured(cuts, tuple(self._colours.kept), tuple(self._stills.kept), faces, scale)

    def _wants(self, frame: int) -> bool:
        return self._colours.wants(frame) or self._stills.wants(frame) or frame in self._wanting

    def _measure(self, frame: int, before: Tensor, after: Tensor) -> None:
        if self._colours.wants(frame):
            self._colours.add(frame, colour_shift(before, after))
        if self._stills.wants(frame):
            self._stills.add(frame, Still(jpeg(before, STILL_SIDE), jpeg(after, STILL_SIDE)))
        for meter in self._wanting.get(frame, ()):
            meter.see(frame, before, after)


def colour_spacing(part: ClipPart | None) -> int:
    """Return how far apart the frames are whose colours are measured; of a whole clip, to begin with."""
    return COLOUR_EVERY if part is None else spacing(part.frames, MOST_COLOURS, COLOUR_EVERY)


def _still_spacing(frames: int | None, part: ClipPart | None) -> int:
    first = max(1, -(-(frames or 0) // MOST_STILLS))
    return first if part is None else spacing(part.frames, MOST_STILLS, first)


def _meters(tracks: FaceTracks, part: ClipPart | None) -> tuple[FaceMeter, ...]:
    """Return what measures each face of a clip or a part; pictures are kept of those of the clip seen longest."""
    watched = [track for track in tracks.tracks
               if part is None or (track.start < part.wanted.stop and part.wanted.start < track.stop)]  # fmt: skip
    if not watched:
        return ()
    likeness = load_likeness()
    longest = sorted(tracks.tracks, key=lambda track: -int(track.seen.sum()))[:MOST_PICTURED]
    pictured = {track.number for track in longest}
    return tuple(FaceMeter(track, likeness, is_pictured=track.number in pictured) for track in watched)


class CutWatcher:
    """Finds the cuts where nobody looked for faces, in frames that are made as small as `CutFinder` compares them."""

    def __init__(self) -> None:
        self._finder = CutFinder()
        self._decided = 0
        self._cuts: list[int] = []

    def push(self, frame: Tensor) -> None:
        """Take the next frame."""
        scale = THUMBNAIL_SIDE / max(frame.shape[-2:])
        size = [max(1, round(side * scale)) for side in frame.shape[-2:]]
        self._note([given.cut for given in self._finder.push(F.interpolate(frame[None], size, mode="area")[0])])

    def finish(self) -> tuple[int, ...]:
        """Return the first frames of all shots but the first."""
        self._note([given.cut for given in self._finder.finish()])
        return tuple(self._cuts)

    def _note(self, cuts: list[bool]) -> None:
        self._cuts += [self._decided + at for at, is_cut in enumerate(cuts) if is_cut]
        self._decided += len(cuts)
