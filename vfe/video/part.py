"""A part of a video as an input of its own: a small file that names the video and the frames of it that are meant.

    {"format": "vfe-part-1", "source": "/media/A001.mov", "fingerprint": "...", "table": "A001.frames.json",
     "start": 120, "stop": 372, "slot": 120, "rate": [30000, 1001], "timecode": "01:00:04:00"}

`start` and `stop` count the pictures of the video. The clock of the part begins at `slot` / `rate` seconds after the
first picture of the video, which is where a timeline that counts its frames has the first frame of the part. The table,
a file beside it, knows all pictures of the video up to `stop`: by it the part is found without reading what lies
before, and proved to be what it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..config import from_mapping
from ..files.durable import write_durably
from ..files.fingerprint import fingerprint
from ..types import VFEError
from .errors import reading
from .frame_table import FrameTable
from .info import VideoInfo
from .metadata import TIMECODE

SUFFIX = ".vfe-part"
FORMAT, TABLE_FORMAT = "vfe-part-1", "vfe-frames-1"
_LARGEST = 1 << 29  # bytes of a table: a hundred hours
_FINE = 16  # parts of a frame in which the times of variable rates are told
_NEAR = Fraction(1, 8)  # of a frame, by which the times of a constant rate are off where the file counts milliseconds


@dataclass(frozen=True)
class Part:
    """The pictures `start` to `stop` - 1 of a video. Raises ValueError where there are none."""

    source: str
    """The absolute path of the video."""
    fingerprint: str
    table: str
    """The name of the file with its pictures, in the folder of the part."""
    start: int
    stop: int
    slot: int
    """The frame at which the clock of the part begins, where frames are counted by time and not by pictures."""
    rate: tuple[int, int]
    """The frames per second by which they are counted, as a fraction."""
    timecode: str | None = None
    """The timecode of the first frame."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop or self.slot < 0:
            raise ValueError(f"pictures {self.start} to before {self.stop}, needed is one at least")
        if min(self.rate) < 1:
            raise ValueError(f"rate is {self.rate[0]}/{self.rate[1]}, needed are numbers above 0")
        if Path(self.table).name != self.table or is_part(Path(self.source)):
            raise ValueError("needed are a table beside the part, and a video that is none itself")

    @property
    def fps(self) -> Fraction:
        """The frames per second by which frames are counted."""
        return Fraction(*self.rate)


def is_part(path: Path) -> bool:
    """Return whether a file is a part of a video, by its name."""
    return path.suffix.lower() == SUFFIX


def read_part(path: Path) -> Part:
    """Read a part. Raises VFEError for a file that is none, and where the video is not the one that was meant."""
    try:
        raw = _read_json(path)
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise ValueError(f"is not of the format {FORMAT}")
        part = from_mapping(Part, raw, SUFFIX)
    except (ValueError, RecursionError) as error:
        raise VFEError(f"{path}: is no part of a video ({' '.join(str(error).split())[:200]})") from error
    source = Path(part.source)
    with reading(source):
        if fingerprint(source) != part.fingerprint:
            raise VFEError(f"{source}: was changed since a part of it was named; start anew")
    return part


def write_part(path: Path, part: Part) -> None:
    """Write a part, unless the same one is there already: its times tell jobs that nothing changed. Raises OSError."""
    text = json.dumps({"format": FORMAT, **asdict(part)}, indent=1) + "\n"
    if not (path.exists() and path.read_text(encoding="utf-8", errors="replace") == text):
        write_durably(path, text)


def part_info(path: Path, part: Part, whole: VideoInfo) -> VideoInfo:
    """Describe a part of the video that `whole` describes."""
    table = read_part_table(path, part)
    told = {name: value for name, value in whole.metadata.items() if name.lower() != TIMECODE}
    of_track = {name: value for name, value in whole.track_metadata.items() if name.lower() != TIMECODE}
    frames = part.stop - part.start
    unit, ticks = part_clock(part, table)
    return replace(
        whole,
        path=path,
        frames=frames,
        rate=part.fps if ticks[-1] * unit * part.fps == frames else whole.rate,
        duration=float(ticks[-1] * unit),
        audio=(),
        subtitles=(),
        time_base=unit,
        metadata=told if part.timecode is None else {**told, TIMECODE: part.timecode},
        track_metadata=of_track,
        is_part=True,
    )


def part_clock(part: Part, table: FrameTable) -> tuple[Fraction, tuple[int, ...]]:
    """Return a unit in seconds and when each picture of a part is shown, and when the last one ends, in such units.

    Times of a constant rate become exact, for files that count milliseconds have them nearly.
    """
    assert table.pts is not None and table.durations is not None and table.time_base is not None
    per_frame, first = table.time_base * part.fps, table.pts[0]
    numbers = range(part.start, part.stop)
    places = [(table.pts[number] - first) * per_frame - part.slot for number in numbers]
    places.append(places[-1] + table.durations[part.stop - 1] * per_frame)
    places[0] = max(places[0], Fraction(0))
    if all(abs(place - index) <= _NEAR for index, place in enumerate(places[:-1])):
        return 1 / part.fps, tuple(range(len(places)))
    ticks = [0]
    for place in places[1:]:
        ticks.append(max(ticks[-1] + 1, round(place * _FINE)))
    return 1 / (part.fps * _FINE), tuple(ticks)


def read_part_table(path: Path, part: Part) -> FrameTable:
    """Return the pictures of the video of a part. Raises VFEError where they are not there, or too few."""
    table, _ = read_table(path.with_name(part.table))
    if len(table) < part.stop:
        raise VFEError(f"{path}: needs {part.stop} pictures of {part.source}, of which {len(table)} are known")
    return table


def read_table(path: Path) -> tuple[FrameTable, bool]:
    """Return the first pictures of a video, and whether they are all of it. Raises VFEError for another file."""
    try:
        plain = from_mapping(_PlainTable, _read_json(path), path.name)
        if plain.format != TABLE_FORMAT or min(plain.time_base) < 1:
            raise ValueError(f"is not of the format {TABLE_FORMAT}")
        columns = (plain.checksums, plain.pts, plain.durations, Fraction(*plain.time_base))
        return FrameTable(*columns, sound=plain.sound), plain.is_all
    except (ValueError, RecursionError) as error:
        fact = " ".join(str(error).split())[:200]
        raise VFEError(f"{path}: is no table of pictures ({fact}); delete it and start anew") from error


def write_table(path: Path, table: FrameTable, is_all: bool) -> None:
    """Write the first pictures of a video. Raises OSError as writing does."""
    assert table.pts is not None and table.durations is not None and table.time_base is not None
    unit = (table.time_base.numerator, table.time_base.denominator)
    plain = _PlainTable(TABLE_FORMAT, table.checksums, table.pts, table.durations, unit, table.sound, is_all)
    write_durably(path, json.dumps(asdict(plain), separators=(",", ":")))


@dataclass(frozen=True)
class _PlainTable:
    format: str
    checksums: tuple[int, ...]
    pts: tuple[int, ...]
    durations: tuple[int, ...]
    time_base: tuple[int, int]
    sound: int | None
    is_all: bool


def _read_json(path: Path) -> Mapping[str, Any]:
    """Raises VFEError where a file cannot be read, and ValueError where it is none of JSON."""
    with reading(path):
        if path.stat().st_size > _LARGEST:
            raise VFEError(f"{path}: is too large for what it should be")
        text = path.read_bytes()
    read: Mapping[str, Any] = json.loads(text)
    return read
