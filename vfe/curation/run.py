"""A curation from its first source to its last: what is done, and what becomes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ..batch.worker import Progressed
from ..types import VFEError
from .candidate import Candidate
from .manifest import where_is
from .record import ClipLine, Listed, Record, SourceLine
from .sources import Source
from .work import CannotScore, ClipTask, Done, Looked, LookTask, Task, Unscored


class Pool(Protocol):
    """Something that does tasks, several at a time, as `batch.task_pool.TaskPool` does."""

    @property
    def has_room(self) -> bool: ...

    @property
    def is_busy(self) -> bool: ...

    def submit(self, task: Task) -> None: ...

    def wait(self, seconds: float | None) -> list[tuple[Task, Done | Progressed]]: ...


class Found(NamedTuple):
    """A source was looked through."""

    source: Source
    looked: Looked
    to_do: int
    """The clips that are to be cut out or scored; others are done already."""


class Scored(NamedTuple):
    """A clip was cut out and has its verdict."""

    source: Source
    line: ClipLine


class NotDone(NamedTuple):
    """A source that cannot be read, or a clip that was not cut out or not scored."""

    source: Source
    reason: str
    frames: tuple[int, int] | None = None
    """Those of the clip; None where it is all of the source."""


class Same(NamedTuple):
    """A source has the content of another one, and is passed over."""

    source: Source
    other: str


class Under(NamedTuple):
    """How far a source is looked through."""

    source: Source
    progress: Progressed


Event = Found | Scored | NotDone | Same | Under


@dataclass(frozen=True)
class Origin:
    """What the user says of all sources of a run."""

    open: bool = False
    licence: str = ""


class Curation:
    """Sources that are to be curated into one set."""

    def __init__(self, folder: Path, record: Record, scorer: str, origin: Origin) -> None:
        """`scorer` is the key of the scorer that workers have, and `record` is open for writing."""
        self.folder, self.record, self.scorer, self.origin = folder, record, scorer, origin
        self._waiting: deque[Task] = deque()
        self._seen: dict[str, str] = {}  # content -> name of the source

    def run(self, sources: Sequence[Source], pool: Pool) -> Iterator[Event]:
        """Do all that is not done, and yield what happens. What fails stops nothing else.

        Raises VFEError where no task can be done, and OSError where the record cannot be written.
        """
        self._waiting.extend(LookTask(source) for source in sources)
        while self._waiting or pool.is_busy:
            while self._waiting and pool.has_room:
                pool.submit(self._waiting.popleft())
            for task, done in pool.wait(None):
                yield self._heard(task, done)

    def _heard(self, task: Task, done: Done | Progressed) -> Event:
        if isinstance(done, Progressed):
            return Under(task.source, done)
        if isinstance(done, Looked):
            return self._looked(task.source, done)
        if isinstance(done, ClipLine):
            self.record.write(done)
            return Scored(task.source, done)
        if isinstance(done, CannotScore):
            raise VFEError(f"the scorer cannot be used: {done.reason}")
        clip = task.candidate.stretch if isinstance(task, ClipTask) else None
        reason = f"not scored: {done.reason}" if isinstance(done, Unscored) else done.reason
        return NotDone(task.source, reason, None if clip is None else (clip.start, clip.stop))

    def _looked(self, source: Source, looked: Looked) -> Found | Same:
        if (other := self._seen.setdefault(looked.content, source.name)) != source.name:
            return Same(source, other)
        line = SourceLine(
            content=looked.content,
            source=source.name,
            path=str(source.path.absolute()),
            kind=source.kind,
            clips=tuple(Listed(c.key(self.scorer), c.clip) for c in looked.candidates),
            left_out=looked.left_out,
            open=self.origin.open,
            licence=self.origin.licence,
            person=source.person,
        )
        self.record.write(line)
        tasks = [task for candidate in looked.candidates if (task := self._task(source, candidate)) is not None]
        self._waiting.extendleft(reversed(tasks))  # so that sources are done one after the other
        return Found(source, looked, len(tasks))

    def _task(self, source: Source, candidate: Candidate) -> ClipTask | None:
        """Return what is to be done for a clip; None where it is done."""
        key = candidate.key(self.scorer)
        line = self.record.line_of(Listed(key, candidate.clip))
        if line is not None and where_is(self.folder, line) is not None:
            return None
        return ClipTask(source, candidate, key, line or self.record.verdict_of(key))
