"""The record of a training set: what each source came to, and the verdict on each clip.

It is the file `curation.jsonl` of the set's folder, a JSON object a line, appended, flushed and synced to the disk by
one writer. Of two lines on one source, or on one clip by one scorer, the later one counts. A line that was cut off when
a run was killed is dropped.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..config import from_mapping
from ..types import VFEError
from .sources import Kind
from .verdict import WEIGHTS

RECORD = "curation.jsonl"


@dataclass(frozen=True)
class Listed:
    """A clip of a source, by the key of its verdict and the name of its files."""

    key: str
    clip: str


@dataclass(frozen=True)
class LeftOut:
    """A stretch of a source, frames `start` to `stop` - 1, of which no clip can be cut out."""

    start: int
    stop: int
    reason: str


@dataclass(frozen=True)
class SourceLine:
    """What a source may give; written before any clip of it is cut out."""

    content: str
    """What tells the source from all others: a SHA-256, or what `files.fingerprint` gives."""
    source: str
    """Its name."""
    path: str
    """Where it was."""
    kind: str
    clips: tuple[Listed, ...]
    left_out: tuple[LeftOut, ...]
    open: bool = False
    """Whether weights that are trained on it may be given away, as the user said."""
    licence: str = ""
    person: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("hq_video", "hq_image"):
            raise ValueError(f"kind is {self.kind!r}")


@dataclass(frozen=True)
class ClipLine:
    """A clip that was cut out, and the verdict on it."""

    key: str
    """A SHA-256 of the source's content, the frames, the window, the side and the scorer with its prompt."""
    clip: str
    """The name of its files."""
    kind: str
    content: str
    frames: tuple[int, int]
    """The first frame of the source, and the one after the last."""
    window: tuple[int, int, int]
    """Left, top and side in pixels of the source."""
    scorer: str
    prompt: str
    """The key of the scorer with its prompt and settings."""
    dims: dict[str, Any]
    bonus: float
    penalty: float
    total: float
    side: int
    fps: float
    mask: str
    """What masks cover and by what they were made."""
    face: float
    """The size of the face in pixels of the source."""
    sharp: float
    sha256: str
    """That of the clip's file."""
    seconds: float = 0.0
    """How long it took to score it."""
    why: str = ""
    raw: str = field(default="", repr=False)
    """What a model answered."""

    def __post_init__(self) -> None:
        numbers = [self.dims.get(name) for name in WEIGHTS] + [self.bonus, self.penalty, self.total]
        if not all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers):
            raise ValueError(f"numbers are {numbers}")
        if self.kind not in ("hq_video", "hq_image") or not (self.clip.isalnum() and self.clip.isascii()):
            raise ValueError(f"kind is {self.kind!r}, the clip {self.clip!r}")

    @property
    def file(self) -> str:
        """The name of the clip's file below the folder of the set, where it is kept."""
        return file_of(self.kind, self.clip)

    @property
    def label(self) -> str:
        """The name of its labels."""
        return f"labels/{self.clip}.npz"

    @property
    def count(self) -> int:
        """The number of frames."""
        return self.frames[1] - self.frames[0]


def file_of(kind: Kind | str, clip: str) -> str:
    """Return the name of a clip's file below the folder of the set."""
    return f"{kind}/{clip}" + (".mp4" if kind == "hq_video" else ".png")


class Record:
    """The record of one set. As a context manager it can be written to, and keeps other writers away."""

    def __init__(self, folder: Path) -> None:
        """Read what is there. Raises OSError where it cannot be, and VFEError for a file that is something else."""
        self.path = folder / RECORD
        self.bad_lines = 0
        self._file: IO[bytes] | None = None
        self.sources: dict[str, SourceLine] = {}  # by content
        self._clips: dict[tuple[str, str], ClipLine] = {}  # by key and clip
        self._verdicts: dict[str, ClipLine] = {}  # by key
        self._end = 0
        self._read()

    def __enter__(self) -> Record:
        with ExitStack() as stack:
            file = stack.enter_context(self.path.open("ab"))
            _lock(file, self.path)
            self._read()  # what another writer wrote meanwhile
            file.truncate(self._end)
            stack.pop_all()  # it stays open until the end of the block
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def line_of(self, listed: Listed) -> ClipLine | None:
        """Return the line on a clip with this verdict."""
        return self._clips.get((listed.key, listed.clip))

    def verdict_of(self, key: str) -> ClipLine | None:
        """Return a line with the verdict of this key, on whichever files."""
        return self._verdicts.get(key)

    @property
    def clips(self) -> list[ClipLine]:
        """All clips that were ever written, also those that count no more."""
        return list(self._clips.values())

    def write(self, line: SourceLine | ClipLine) -> None:
        """Append a line and wait until the disk has it; one that is there already is left out. Raises OSError."""
        assert self._file is not None, "write() belongs inside the with block"
        if isinstance(line, SourceLine) and self.sources.get(line.content) == line:
            return
        kind = "source" if isinstance(line, SourceLine) else "clip"
        self._file.write(json.dumps({"line": kind, **asdict(line)}).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._take(line)

    def _take(self, line: SourceLine | ClipLine) -> None:
        if isinstance(line, SourceLine):
            self.sources[line.content] = line
        else:
            self._clips[line.key, line.clip] = self._verdicts[line.key] = line

    def _read(self) -> None:
        self.bad_lines, self._end = 0, 0
        for raw in self._whole_lines():
            try:
                values = json.loads(raw)
                kind = values.pop("line")
                self._take(from_mapping({"source": SourceLine, "clip": ClipLine}[kind], values))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.bad_lines += 1

    def _whole_lines(self) -> Iterator[bytes]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    self._end += len(raw)
                    yield raw


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep other processes from writing until the file is closed, where the system can. Raises VFEError."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise VFEError(f"{path}: another `vfe curate` writes there; wait for it or choose another folder") from error
