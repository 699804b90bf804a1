"""Everything that a report says of a run, before it becomes a page or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from ..face.track.tracks import FaceTrack
from ..options import RestoreOptions
from ..tensor_io.source import printable
from ..types import Stretch
from ..video.info import VideoInfo
from ..video.lost import TimeRange
from ..video.pipe.streams import PIPE
from .colour import ColourShift
from .faces import FaceMeter, FacePictures, FaceSample
from .likeness_scale import LikenessScale
from .memory import PeakMemory
from .watch import Measured, Still

LONGEST_TEXT = 1000
"""No name and no note is longer in a report, in characters."""


@dataclass(frozen=True)
class ReportedClip:
    """The source or the output of a run."""

    name: str
    """The name of the file without its folder, in characters that can be shown."""
    width: int
    height: int

    @classmethod
    def of(cls, path: Path, size: tuple[int, int]) -> ReportedClip:
        """Return the clip at a path, with frames of `size` (width, height)."""
        name = "a pipe" if path == PIPE else path.name or str(path)
        return cls(printable(name, LONGEST_TEXT), *size)


class Stages(NamedTuple):
    """Wall-clock seconds of the parts of a run. What an encoder does in threads of its own is not counted."""

    find_faces: float
    decode: float
    restore: float
    encode: float
    measure: float
    """What this report took."""


class Segment(NamedTuple):
    """The frames `start` to `stop` - 1, restored on their own. A run that is no job has one segment."""

    start: int
    stop: int
    seconds: float
    retries: int
    """How often it failed before."""


class Change(NamedTuple):
    """A number before and after."""

    before: float
    after: float


@dataclass(frozen=True)
class ReportedFace:
    """One face of the clip: its track, and what was measured on it."""

    number: int
    start: int
    stop: int
    """The frame after its last one."""
    seen: int
    """On how many frames it was seen; on the others it was out of sight for a moment."""
    unseen: tuple[Stretch, ...]
    side: float
    """The side in pixels of a square with the area of its median box."""
    samples: tuple[FaceSample, ...]
    pictures: FacePictures | None

    @classmethod
    def of(cls, meter: FaceMeter) -> ReportedFace:
        """Return what was measured of a track."""
        track = meter.track
        seen = int(track.seen.sum())
        samples = tuple(meter.samples)
        return cls(track.number, track.start, track.stop, seen, unseen_of(track), track.side, samples, meter.pictures)

    @property
    def sharpness(self) -> Change | None:
        """The mean sharpness; None where it could be measured on no frame."""
        if not self.samples:
            return None
        return Change(*(fmean(values) for values in zip(*(sample[1:3] for sample in self.samples), strict=True)))

    @property
    def distance(self) -> float | None:
        """The mean distance of the face after from the face before; None where it could be measured on no frame."""
        return fmean(sample.distance for sample in self.samples) if self.samples else None


@dataclass(frozen=True)
class Run:
    """What is known of a run beside what was measured of its frames."""

    info: VideoInfo
    output: Path
    size: tuple[int, int]
    """The (width, height) of the output."""
    options: RestoreOptions
    frames: int
    seconds: float
    stages: Stages
    windows: tuple[Stretch, ...]
    """The windows in which whole frames were restored; none where only faces were."""
    notes: tuple[str, ...]
    lost: tuple[TimeRange, ...] = ()
    """The times of the source in which frames are missing or have errors."""


@dataclass(frozen=True)
class RunReport:
    """A whole report."""

    source: ReportedClip
    output: ReportedClip
    kind: str
    """It is "video", "images" or "image", as `VideoInfo.kind`."""
    rate: Fraction
    """The mean number of frames per second of the source."""
    options: RestoreOptions
    frames: int
    seconds: float
    stages: Stages
    memory: PeakMemory
    segments: tuple[Segment, ...]
    cuts: tuple[int, ...]
    windows: tuple[Stretch, ...]
    faces: tuple[ReportedFace, ...] | None
    """None where faces were not looked for."""
    likeness: LikenessScale | None
    """What the likeness of the faces was measured with; None where there are none."""
    colours: tuple[tuple[int, ColourShift], ...]
    stills: tuple[tuple[int, Still], ...]
    lost: tuple[TimeRange, ...]
    """The times of the source in which frames are missing or have errors."""
    notes: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, measured: Measured) -> RunReport:
        """Return the report of a run that was one pass over its frames."""
        return cls(
            source=ReportedClip.of(run.info.path, (run.info.width, run.info.height)),
            output=ReportedClip.of(run.output, run.size),
            kind=run.info.kind,
            rate=run.info.rate,
            options=run.options,
            frames=run.frames,
            seconds=run.seconds,
            stages=run.stages,
            memory=PeakMemory.now(),
            segments=(Segment(0, run.frames, run.seconds, 0),),
            cuts=measured.cuts,
            windows=run.windows,
            faces=None if measured.faces is None else tuple(ReportedFace.of(meter) for meter in measured.faces),
            likeness=measured.likeness,
            colours=measured.colours,
            stills=measured.stills,
            lost=run.lost,
            notes=tuple(printable(note, LONGEST_TEXT) for note in run.notes),
        )

    @property
    def fps(self) -> float:
        """Frames per second of the whole run."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def colour(self) -> ColourShift:
        """The mean shift of the colours over the frames that were measured."""
        return ColourShift(*(fmean(values) for values in zip(*(shift for _, shift in self.colours), strict=True)))


def unseen_of(track: FaceTrack) -> tuple[Stretch, ...]:
    """Return the frames of the clip on which a track goes on but its face was not seen."""
    seen = track.seen.tolist()
    edges = [0, *(at for at in range(1, len(seen)) if seen[at] != seen[at - 1]), len(seen)]
    stretches = (Stretch(track.start + first, track.start + stop) for first, stop in pairwise(edges))
    return tuple(stretch for stretch in stretches if not seen[stretch.start - track.start])
