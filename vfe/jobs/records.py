"""What lies on the disk of a segment: its chunk, what vouches for it, who works on it, and the tries that failed.

`ID.chunk` is the result, `ID.measured` what a report is to say of it, `ID.ok` vouches for both, `ID.held` says who
works on it, and `ID.failed-N` why try N failed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..config import from_mapping
from ..files.durable import publish_durably, write_durably
from ..library.download import file_hash
from ..report.memory import PeakMemory
from .arithmetic import Arithmetic
from .worker import Worker

TRIES = 3
"""The tries after which a segment is marked as failed and left alone."""
_LARGEST_JSON = 64 << 20  # bytes: no file of a job that is not a chunk is larger

T = TypeVar("T")


@dataclass(frozen=True)
class SegmentStages:
    """Seconds of the parts of the work on a segment."""

    decode: float
    restore: float
    encode: float
    """Into the chunk."""
    measure: float


@dataclass(frozen=True)
class Record:
    """What vouches for a chunk, and for what was measured of it."""

    sha256: str
    size: int
    """Of the chunk, in bytes."""
    frames: int
    seconds: float
    """How long the segment took."""
    worker: str
    arithmetic: Arithmetic
    """What the last bits of the pixels hang on."""
    notes: tuple[str, ...]
    """What could not be kept of the frames, and what was different from an undisturbed run."""
    measured: str
    """The SHA-256 of what was measured of the frames."""
    stages: SegmentStages
    memory: PeakMemory
    """That of the worker."""
    failures: tuple[str, ...]
    """Why earlier tries failed."""


@dataclass(frozen=True)
class Held:
    """Who works on a segment, since when, and how far it is."""

    worker: Worker
    since: float
    """Seconds since 1970."""
    frames: int


class Contents(NamedTuple):
    """What tells the files of a segment from others."""

    size: int
    """Of the chunk, in bytes."""
    sha256: str
    """Of the chunk."""
    measured: str
    """The SHA-256 of what was measured."""


class SegmentFiles:
    """The files of one segment in the folder of a job."""

    def __init__(self, folder: Path, segment_id: str) -> None:
        self.folder = folder
        self.id = segment_id
        self.chunk = folder / f"{segment_id}.chunk"
        self.measured = folder / f"{segment_id}.measured"
        self._ok = folder / f"{segment_id}.ok"
        self._held = folder / f"{segment_id}.held"

    def record(self) -> Record | None:
        """Return what vouches for the chunk; None where nothing does, or its size shows that it is not that chunk."""
        record = _read(self._ok, Record)
        try:
            return record if record is not None and self.chunk.stat().st_size == record.size else None
        except OSError:
            return None

    def is_sound(self) -> bool:
        """Return whether what was vouched for is there, to the bit. Raises OSError as reading does."""
        record = self.record()
        return record is not None and self.is_measured(record) and file_hash(self.chunk) == record.sha256

    def is_measured(self, record: Record) -> bool:
        """Return whether what was measured is what a record vouches for. Raises OSError as reading does."""
        return self.measured.is_file() and file_hash(self.measured) == record.measured

    def aside(self) -> Path:
        """Return the name under which this process writes the chunk."""
        return self.folder / f".{self.id}.{Worker.this().tag}.part"

    def vouch(self, aside: Path, measured: str, record: Callable[[Contents], Record]) -> Record:
        """Put a finished chunk, and what was `measured` of it, in their places, and then what vouches for them."""
        digest = hashlib.sha256(measured.encode()).hexdigest()
        made = record(Contents(aside.stat().st_size, file_hash(aside), digest))
        self._ok.unlink(missing_ok=True)  # what it vouches for goes
        write_durably(self.measured, measured)
        publish_durably(aside, self.chunk)
        write_durably(self._ok, json.dumps(asdict(made), indent=1))
        for path in self._failed():
            path.unlink(missing_ok=True)
        return made

    def reject(self) -> None:
        """Forget the chunk."""
        for path in (self._ok, self.chunk, self.measured):
            path.unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Note that one more try failed."""
        number = 1 + max((_number(path) for path in self._failed()), default=0)
        write_durably(self.folder / f"{self.id}.failed-{number}", reason + "\n")

    def failures(self) -> tuple[str, ...]:
        """Return why each try failed, in order."""
        return tuple(_text(path).strip() for path in sorted(self._failed(), key=_number))

    def hold(self, held: Held) -> None:
        """Say that this process works on the segment, and how far it is."""
        write_aside = self._held.with_name(f".{self._held.name}.{held.worker.pid}")
        write_aside.write_text(json.dumps(asdict(held)), encoding="utf-8")
        write_aside.replace(self._held)

    def release(self) -> None:
        """Say that nobody works on the segment."""
        self._held.unlink(missing_ok=True)

    def held(self) -> Held | None:
        """Return who works on the segment now; None where that is nobody, or a process that is gone."""
        held = _read(self._held, Held)
        if held is None:
            return None
        try:
            heard = self._held.stat().st_mtime
        except OSError:
            return None
        return None if held.worker.is_gone(min(heard, time.time())) else held

    def _failed(self) -> list[Path]:
        return [path for path in self.folder.glob(f"{self.id}.failed-*") if _number(path)]


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """Return what a JSON file holds. Raises ValueError where it is none, and OSError."""
    with path.open("rb") as file:
        data = file.read(_LARGEST_JSON + 1)
    if len(data) > _LARGEST_JSON:
        raise ValueError(f"is larger than {_LARGEST_JSON} bytes")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _read(path: Path, kind: type[T]) -> T | None:
    """Return what a file says; None where there is none, or somebody else wrote it."""
    try:
        return from_mapping(kind, read_json(path))
    except (OSError, ValueError):
        return None


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(1000)
    except OSError:
        return "unknown"


def _number(path: Path) -> int:
    """Return the number of a try; 0 for a file that is none."""
    digits = path.suffix.removeprefix(".failed-")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 9 else 0
