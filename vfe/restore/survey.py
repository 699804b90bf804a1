"""What a first pass over a source learns of it, so that any stretch of it can be restored on its own.

It is kept in two files of a folder. `survey.json` is for people too:

    {"format": "vfe-survey-1", "frames": 1500, "sound": 700 or null for all, "time_base": [1, 12800] or null for images,
     "notes": [...], "lost": [[0.8, 0.96], ...] in seconds,
     "plan": {"whole_frames": true, "notes": [...], "faces": {"width": 640, "height": 360, "cuts": [...]} or null}}

`survey.safetensors` has the columns that `survey_columns` describes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from ..face.track.remembered import FaceMemory
from ..face.track.tracks import FaceTracks
from ..files.aside import written_aside
from ..tensor_io.safetensors_file import open_safetensors
from ..tensor_io.write import entries_of, write_safetensors
from ..types import Progress, VFEError, no_progress
from ..video.frame_table import FrameTable
from ..video.lost import TimeRange
from ..video.read import Decoded, Frame, Source
from .region import RegionPlan
from .survey_columns import FacesHead, face_columns, frame_columns, read_table, read_tracks

FORMAT = "vfe-survey-1"
HEAD, COLUMNS = "survey.json", "survey.safetensors"
MAX_HEAD = 16 << 20  # bytes: a cut takes eight of them
MAX_SIDE = 1 << 16  # pixels
MAX_TIME_BASE = (1 << 31) - 1  # FFmpeg's are fractions of two 32-bit numbers


@dataclass(frozen=True)
class Survey:
    """The frames of a source, and what of them is restored."""

    frames: FrameTable
    plan: RegionPlan
    notes: tuple[str, ...] = ()
    """What reading the source had to say, such as damage; what is restored is in the notes of the plan."""
    lost: tuple[TimeRange, ...] = ()
    """The times at which frames of the source are missing or have errors, in seconds."""

    @property
    def cuts(self) -> tuple[int, ...]:
        """The first frames of the second, third and further shots, where faces were looked for; else none is known."""
        return () if self.plan.tracks is None else self.plan.tracks.cuts

    @property
    def tracks(self) -> FaceTracks | None:
        """The faces that are restored, as in the plan."""
        return self.plan.tracks

    def write(self, folder: Path) -> None:
        """Write both files into a folder that exists. Raises OSError as writing does."""
        columns = frame_columns(self.frames) | ({} if self.tracks is None else face_columns(self.tracks))
        write_safetensors(folder / COLUMNS, entries_of(columns), {"format": FORMAT})
        with written_aside(folder / HEAD) as aside:
            aside.write_text(json.dumps(_head_of(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Survey:
        """Read what `write` wrote, exactly. Raises VFEError for files that are missing, damaged or something else."""
        try:
            head = _read_head(folder / HEAD)
            source = open_safetensors(folder / COLUMNS)
            frames = read_table(source, head.time_base, head.sound)
            if len(frames) != head.frames:
                raise VFEError(f"{HEAD} tells of {head.frames} frames, {COLUMNS} of {len(frames)}")
            tracks = None if head.faces is None else read_tracks(source, head.faces, len(frames))
        except OSError as error:
            raise VFEError(f"{error.filename}: cannot be read ({error.strerror}); survey the source anew") from error
        except VFEError as error:
            raise VFEError(f"the survey in {folder} cannot be used: {error.fact}; survey the source anew") from error
        return cls(frames, RegionPlan(head.whole_frames, tracks, head.plan_notes), head.notes, head.lost)


def take_survey(
    source: Source,
    plan: Callable[[Iterable[Frame]], RegionPlan],
    on_progress: Progress | None = None,
    memory: FaceMemory | None = None,
) -> Survey:
    """Go once over a source, with the eyes of `plan`, which may look at its frames.

    `on_progress` gets the frames that were read and, where known, their total. `memory` hears of each frame before the
    plan sees it. Raises VFEError as reading does.
    """
    return survey_pictures(source, lambda pictures: plan(_frames_of(pictures, memory)), on_progress)


def _frames_of(pictures: Iterable[Decoded], memory: FaceMemory | None) -> Iterator[Frame]:
    for decoded in pictures:
        if memory is not None:
            memory.note(decoded.checksum())
        yield decoded.frame()


def survey_pictures(
    source: Source, plan: Callable[[Iterable[Decoded]], RegionPlan], on_progress: Progress | None = None
) -> Survey:
    """Do the same for a `plan` that makes frames of the pictures that it looks at only."""
    columns, report = _Columns(), on_progress or no_progress
    pictures = columns.noting(source.decoded(), lambda done: report(done, source.info.frames))
    planned = plan(pictures)
    for _ in pictures:  # those that the plan had no need to see
        pass
    if not columns.checksums:
        raise VFEError(f"{source.info.path}: no frame could be decoded")
    if planned.tracks is not None and planned.tracks.frames != len(columns.checksums):
        raise VFEError(
            f"the faces are those of {planned.tracks.frames} frames, and {source.info.path} has "
            f"{len(columns.checksums)}",
            command="write them again with `vfe faces --json`",
        )
    return Survey(columns.table(), planned, tuple(source.notes), source.lost)


def check_size(survey: Survey, size: tuple[int, int]) -> None:
    """Raise VFEError unless the faces of a survey are those of frames of this (width, height)."""
    if survey.tracks is not None and (survey.tracks.width, survey.tracks.height) != size:
        raise VFEError(
            f"the survey has its faces in frames of {survey.tracks.width}x{survey.tracks.height}, needed are those of "
            f"{size[0]}x{size[1]}; survey the source anew with the same options"
        )


class _Columns:
    """The columns of a table of frames, as they grow."""

    def __init__(self) -> None:
        self.checksums: list[int] = []
        self.pts: list[int] = []
        self.durations: list[int] = []
        self.time_base: Fraction | None = None
        self.sound: int | None = None

    def noting(self, pictures: Iterable[Decoded], report: Callable[[int], None]) -> Iterator[Decoded]:
        """Hand pictures on, and note each; `report` gets how many there were before each one, and in the end."""
        for decoded in pictures:
            report(len(self.checksums))
            if self.sound is None and not decoded.is_sound:
                self.sound = len(self.checksums)
            checksum = decoded.checksum()
            self.checksums.append(checksum)
            if decoded.pts is not None and decoded.duration is not None:
                self.pts.append(decoded.pts)
                self.durations.append(decoded.duration)
                self.time_base = decoded.time_base
            yield decoded._replace(checksum=partial(int, checksum))  # whoever asks again need not wait
        report(len(self.checksums))

    def table(self) -> FrameTable:
        """Return the table."""
        checksums = tuple(self.checksums)
        if self.time_base is None:
            return FrameTable(checksums)
        return FrameTable(checksums, tuple(self.pts), tuple(self.durations), self.time_base, self.sound)


@dataclass(frozen=True)
class _Head:
    frames: int
    sound: int | None
    time_base: Fraction | None
    notes: tuple[str, ...]
    lost: tuple[TimeRange, ...]
    whole_frames: bool
    plan_notes: tuple[str, ...]
    faces: FacesHead | None


def _head_of(survey: Survey) -> dict[str, Any]:
    unit, tracks = survey.frames.time_base, survey.tracks
    faces = tracks and {"width": tracks.width, "height": tracks.height, "cuts": list(tracks.cuts)}
    return {
        "format": FORMAT,
        "frames": len(survey.frames),
        "sound": survey.frames.sound,
        "time_base": unit and [unit.numerator, unit.denominator],
        "notes": list(survey.notes),
        "lost": [list(times) for times in survey.lost],
        "plan": {"whole_frames": survey.plan.whole_frames, "notes": list(survey.plan.notes), "faces": faces},
    }


def _read_head(path: Path) -> _Head:
    """Raises OSError as reading does, and VFEError for anything but what `_head_of` gives."""
    if path.stat().st_size > MAX_HEAD:
        raise VFEError(f"{path.name} has more than {MAX_HEAD} bytes")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise VFEError(f"{path.name} has another format than {FORMAT}")
        plan = raw["plan"]
        return _Head(
            frames=_natural(raw["frames"]),
            sound=None if raw["sound"] is None else _natural(raw["sound"], least=0),
            time_base=None if raw["time_base"] is None else _unit(raw["time_base"]),
            notes=_texts(raw["notes"]),
            lost=tuple(_time_range(times) for times in _list(raw["lost"])),
            whole_frames=plan["whole_frames"] is True,
            plan_notes=_texts(plan["notes"]),
            faces=None if plan["faces"] is None else _faces_head(plan["faces"]),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, VFEError):
            raise
        raise VFEError(f"{path.name} is damaged ({' '.join(repr(error).split())[:80]})") from error


def _faces_head(raw: Mapping[str, Any]) -> FacesHead:
    width, height = (_natural(raw[name], MAX_SIDE) for name in ("width", "height"))
    return FacesHead(width, height, tuple(_natural(cut) for cut in _list(raw["cuts"])))


def _time_range(raw: object) -> TimeRange:
    start, end = _list(raw, 2)
    if not (isinstance(start, float) and isinstance(end, float) and 0 <= start <= end < math.inf):
        raise ValueError(f"{raw!r:.40} where a range of seconds is needed")
    return TimeRange(start, end)


def _unit(value: object) -> Fraction:
    numerator, denominator = (_natural(part, MAX_TIME_BASE) for part in _list(value, 2))
    return Fraction(numerator, denominator)


def _natural(value: object, most: int = 1 << 62, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.20} where a number from {least} to {most} is needed")
    return value


def _list(value: object, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or len(value) != (length or len(value)):
        raise ValueError(f"{value!r:.20} where a list is needed")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not all(isinstance(text, str) for text in _list(value)):
        raise ValueError("notes that are no text")
    return tuple(_list(value))
