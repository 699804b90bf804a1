"""What is done with each clip of a batch: it is restored with these options into this file, skipped, or cannot be."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..files.aside import fitting_name, remove_leftovers
from ..files.durable import flush
from ..options import RestoreOptions
from ..types import VFEError
from ..video.files import refuse_pipe
from ..video.output_name import restored_suffix
from .clips import Clip
from .given import GivenOptions
from .hold import Hold
from .option_files import OptionFiles
from .presets import with_preset
from .record import Entry, Record, as_json
from .report_names import ReportNames
from .stamp import identity_of, stamp_of


class FileTask(NamedTuple):
    """One file to restore."""

    clip: Clip
    output: Path
    options: RestoreOptions
    given: GivenOptions
    """What of the options was given, but for those of a preset."""


class Made(NamedTuple):
    """A file was restored."""

    frames: int
    seconds: float
    notes: tuple[str, ...] = ()


class Skipped(NamedTuple):
    """A file needs not be restored."""

    reason: str


class Failed(NamedTuple):
    """A file cannot be restored, or was not."""

    reason: str


Outcome = Made | Skipped | Failed


@dataclass(frozen=True)
class Choices:
    """What the command line says of all files of a batch."""

    output: Path
    """The folder of the outputs, which is there."""
    given: GivenOptions
    model: Mapping[str, Any]
    """All that was chosen of the model and that a result depends on."""
    overwrite: bool = False
    resume: bool = True
    """Whether what is done counts."""
    reports: ReportNames | None = None
    """Where the report of each file goes; None where none is wanted."""
    how_to_replace: str = "--overwrite replaces it"
    """What a user is told who may want to replace an output that is there."""


class Planner:
    """Decides file by file, in order: of two that would get one name, the first gets it."""

    def __init__(self, choices: Choices, files: OptionFiles, record: Record) -> None:
        self.choices = choices
        self.files = files
        self.record = record
        self._names: dict[str, Path] = {}  # of outputs, as a disk that does not tell case has them -> of the clip
        self._begun: dict[Path, Entry] = {}
        self._holds: dict[Path, Hold] = {}

    def plan(self, clip: Clip) -> FileTask | Skipped | Failed:
        """Return what to do with a clip."""
        try:
            refuse_pipe(clip.path)
            given = self.choices.given.over(self.files.given(clip))
            output, reports = self.output_of(clip), self.choices.reports
            report = None if reports is None else reports.report_of(output.relative_to(self.choices.output))
            kept = RestoreOptions(overwrite=self.choices.overwrite, report=report)
            task = FileTask(clip, output, with_preset(given).applied_to(kept), given)
            return self._taken(task) or self._there(task) or task
        except VFEError as error:
            return Failed(str(error))
        except OSError as error:
            return Failed(f"cannot be read ({error.strerror}); check its name and permissions")
        except ValueError as error:  # of layers that each were right
            return Failed(str(error))

    def output_of(self, clip: Clip) -> Path:
        """Return where the result goes: as deep below the folder of outputs as the clip is below its own.

        Raises OSError for an image that cannot be opened.
        """
        folder, path = self.choices.output / clip.name.parent, clip.path
        if path.is_dir():
            return folder / path.name.replace(".", "_")  # a name with a suffix would be a file
        return folder / fitting_name(path.stem, restored_suffix(path))

    def begin(self, task: FileTask) -> Skipped | Failed | None:
        """Make the folders of a file's output and report and note that it is begun, or return why it is not.

        Raises OSError where the record cannot be written.
        """
        hold = Hold(task.output)
        try:
            for path in (task.output, task.options.report):
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
            if (holder := hold.take()) is not None:
                return Skipped(f"another run is at it ({holder})")
            self._holds[task.output] = hold
            if (done := self._there(task)) is not None:  # by another run, a moment ago
                self._release(task)
                return done
            identity, there = identity_of(task.clip.path), stamp_of(task.output)
        except OSError as error:
            self._release(task)
            return Failed(f"{error.filename}: {error.strerror}")
        name, options, before = task.clip.name.as_posix(), self._options(task), self.record.entry(self._key(task))
        if before is not None and before.state == "begun":
            remove_leftovers(task.output)
        self._begun[task.output] = Entry("begun", self._key(task), name, identity, options, there)
        self.record.write(self._begun[task.output])
        return None

    def end(self, task: FileTask, outcome: Made | Failed) -> Made | Failed:
        """Note that a file that was begun is done, or failed, and return that: the disk may not keep what was made.

        Raises OSError where the record cannot be written.
        """
        begun = self._begun.pop(task.output)
        try:
            return self._ended(task, begun, outcome)
        finally:
            self._release(task)

    def heard(self, task: FileTask) -> None:
        """Give other runs a sign that a file is still being restored."""
        if task.output in self._holds:
            with suppress(OSError):  # a drive that is gone for now: it is seen when the output is written
                self._holds[task.output].sign()

    def release(self) -> None:
        """Leave to other runs what is not done."""
        for hold in self._holds.values():
            hold.release()
        self._holds.clear()

    def _release(self, task: FileTask) -> None:
        if task.output in self._holds:
            self._holds.pop(task.output).release()

    def _ended(self, task: FileTask, begun: Entry, outcome: Made | Failed) -> Made | Failed:
        try:
            if isinstance(outcome, Made):
                flush(task.output)
        except OSError as error:
            outcome = Failed(f"{task.output}: {error.strerror}")
        if isinstance(outcome, Made):
            self.record.write(replace(begun, state="done", stamp=stamp_of(task.output)))
        else:
            remove_leftovers(task.output)  # of a worker that died
            self.record.write(replace(begun, state="failed", stamp=None))
        return outcome

    def _taken(self, task: FileTask) -> Failed | None:
        """Return why the output's name is not to be had beside the other clips, or None where it is."""
        name = unicodedata.normalize("NFC", self._key(task)).casefold()
        other = self._names.setdefault(name, task.clip.path)
        if other == task.clip.path:
            return None
        return Failed(f"would be restored to the same name as {other.name}, {self._key(task)}; rename one of them")

    def _there(self, task: FileTask) -> Skipped | Failed | None:
        """Return what follows from what lies at the output's name, or None where the file can be restored."""
        there = stamp_of(task.output)
        if there is None:
            return None
        entry = self.record.entry(self._key(task))
        if entry is None or not entry.made(there):  # as far as is known: another run may have made it since
            entry = self.record.read_again().entry(self._key(task))
        if entry is None or not entry.made(there):
            what = "was changed since it was made" if entry and entry.state == "done" else "was not made by such a run"
        else:
            difference = entry.difference(task.clip.path, task.clip.name.as_posix(), self._options(task))
            if difference is None and self.choices.resume:
                return Skipped("done before")
            what = f"was made {difference or 'before'}"
        if self.choices.overwrite:
            return None
        return Failed(f"{task.output} exists and {what}; {self.choices.how_to_replace}")

    def _key(self, task: FileTask) -> str:
        return task.output.relative_to(self.choices.output).as_posix()

    def _options(self, task: FileTask) -> dict[str, Any]:
        """Return all that was chosen of what the result depends on."""
        ours = asdict(task.options)
        del ours["overwrite"], ours["compare"], ours["report"]
        return as_json({**ours, **self.choices.model})
