"""Everything that a report says of a run, before it becomes a page or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from ..face.track.tracks import FaceTrack, FaceTracks
from ..options import RestoreOptions
from ..tensor_io.source import printable
from ..types import Stretch
from ..video.info import VideoInfo
from ..video.lost import TimeRange
from ..video.pipe.streams import PIPE
from .colour import ColourShift
from .faces import FacePictures, FaceSample, MeasuredFace
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
    failures: tuple[str, ...] = ()
    """Why each try failed before."""
    worker: str | None = None
    """The process that restored it, by its machine and number; None in a run that is no job, and for a gap."""
    passed_through: bool = False
    """Whether its frames are those of the source, as it could not be restored."""

    @property
    def fps(self) -> float:
        """Frames restored per second."""
        return (self.stop - self.start) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class ModelNames:
    """What restored the frames."""

    name: str
    """The name of the model, or of its file; "" where it has none, as one that was not loaded by `vfe.load`."""
    faces: str | None
    """That of the part for faces; None without one."""


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
    windows: tuple[Stretch, ...]
    """The frames of the clip in which it was restored together; by the part for faces, where there is one."""
    samples: tuple[FaceSample, ...]
    pictures: FacePictures | None

    @classmethod
    def of(cls, track: FaceTrack, windows: Sequence[Stretch], measured: MeasuredFace) -> ReportedFace:
        """Return a track and what was measured of it."""
        return cls(
            number=track.number,
            start=track.start,
            stop=track.stop,
            seen=int(track.seen.sum()),
            unseen=unseen_of(track),
            side=track.side,
            windows=tuple(windows),
            samples=measured.samples,
            pictures=measured.pictures,
        )

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
    model: ModelNames
    stages: Stages
    memory: PeakMemory
    segments: tuple[Segment, ...]
    seconds: float
    tracks: FaceTracks | None
    """The faces that were restored; None where faces were not looked for."""
    windows: tuple[Stretch, ...]
    """The windows in which whole frames were restored; none where only faces were."""
    face_windows: Mapping[int, Sequence[Stretch]]
    """The windows in which each face was restored, by its number."""
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
    model: ModelNames
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
        """Return the report of a run."""
        return cls(
            source=ReportedClip.of(run.info.path, (run.info.width, run.info.height)),
            output=ReportedClip.of(run.output, run.size),
            kind=run.info.kind,
            rate=run.info.rate,
            options=run.options,
            model=run.model,
            frames=run.segments[-1].stop,
            seconds=run.seconds,
            stages=run.stages,
            memory=run.memory,
            segments=run.segments,
            cuts=measured.cuts,
            windows=run.windows,
            faces=None if run.tracks is None else tuple(_faces(run.tracks, run.face_windows, measured.faces)),
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


def _faces(
    tracks: FaceTracks, windows: Mapping[int, Sequence[Stretch]], measured: Sequence[MeasuredFace]
) -> Iterator[ReportedFace]:
    by_number = {face.number: face for face in measured}
    for track in tracks.tracks:
        face = by_number.get(track.number, MeasuredFace(track.number))
        yield ReportedFace.of(track, windows.get(track.number, ()), face)


def unseen_of(track: FaceTrack) -> tuple[Stretch, ...]:
    """Return the frames of the clip on which a track goes on but its face was not seen."""
    seen = track.seen.tolist()
    edges = [0, *(at for at in range(1, len(seen)) if seen[at] != seen[at - 1]), len(seen)]
    stretches = (Stretch(track.start + first, track.start + stop) for first, stop in pairwise(edges))
    return tuple(stretch for stretch in stretches if not seen[stretch.start - track.start])
