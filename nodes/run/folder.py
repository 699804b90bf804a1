"""The clips of a folder, one after another, as `vfe enhance FOLDER -o FOLDER` does them: with the same record of what
is done, so that either goes on with what the other began.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from av.error import FFmpegError

from ...vfe.batch.clips import Clip, Found, find_clips
from ...vfe.batch.given import GivenOptions
from ...vfe.batch.option_files import OptionFiles
from ...vfe.batch.plan import Choices, Failed, FileTask, Made, Outcome, Planner
from ...vfe.batch.pool import Report
from ...vfe.batch.record import Record
from ...vfe.batch.run import Ended, Listed, Noted, run_batch
from ...vfe.face.track.select import FaceSelection
from ...vfe.options import ModelOptions
from ...vfe.pipeline.windows import WindowConfig
from ...vfe.restore.restorer import RestoreReport
from ...vfe.types import Remedy, VFEError, VideoShape
from ...vfe.video.probe import probe
from ..backend.restorer import ComfyRestorer
from ..host.phases import show_text
from ..host.reporter import MANY, Reporter
from ..remedies import IN_NODES, advised
from .shown import shown_restorer
from .video import FilePasses

HOW_TO_REPLACE = "switch overwrite on to replace it"


@dataclass(frozen=True)
class FolderRequest:
    """What a user asks for: which clips, where to, and how."""

    source: Path
    output: Path
    given: GivenOptions
    window: WindowConfig | None
    overwrite: bool = False
    steps: int = ModelOptions.steps
    """Those of the model's last blocks, for the record of what was done."""


@dataclass
class FolderReport:
    """What became of the clips."""

    outcomes: dict[Path, Outcome] = field(default_factory=dict)
    """By the name of the clip below its folder, or of a folder that could not be looked into."""
    files: list[Path] = field(default_factory=list)
    """The results that are there, new ones and those of earlier runs."""
    notes: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise VFEError where all of them failed."""
        if all(isinstance(outcome, Failed) for outcome in self.outcomes.values()):
            name, outcome = next(iter(self.outcomes.items()))
            raise VFEError(f"none of {len(self.outcomes)} clips could be restored; {name}: {_in_words(outcome)}")

    def text(self) -> str:
        """Return how many were restored, then a line for each."""
        count = Counter(type(outcome).__name__ for outcome in self.outcomes.values())
        words = {"Made": "restored", "Skipped": "skipped", "Failed": "failed"}
        total = ", ".join(f"{count[kind]} {word}" for kind, word in words.items() if count[kind])
        lines = [f"{name.as_posix()}: {_in_words(outcome)}" for name, outcome in self.outcomes.items()]
        return "\n".join([f"{len(self.outcomes)} clips: {total}", *lines, *self.notes])


def enhance_folder(restorer: ComfyRestorer, request: FolderRequest) -> FolderReport:
    """Restore the clips of a folder. One that fails stops no other.

    Raises VFEError where there are none, where not one of them could be restored, or for a choice of faces that is
    none; and what ends an interrupted run.
    """
    found = _clips_of(request)
    if request.given.faces is not None:
        FaceSelection.parse(request.given.faces)
    model = {**restorer.made_of, "window": None if request.window is None else request.window.frames}
    if request.steps != ModelOptions.steps:  # records of before have none
        model["steps"] = request.steps
    choices = Choices(request.output, request.given, model, request.overwrite, how_to_replace=HOW_TO_REPLACE)
    planner = Planner(choices, OptionFiles(found.root), Record(request.output))
    run = _FolderRun(restorer, request.window, planner, len(found.clips))
    report = FolderReport()
    for event in run_batch(planner, Listed(found), OneAfterAnother(run.restore)):
        if isinstance(event, Noted):
            report.notes.append(event.text)
        elif isinstance(event, Ended):
            report.outcomes[event.name] = event.outcome
            run.ended()
            logging.getLogger("vfe").info("%s: %s", event.name, _in_words(event.outcome))
    report.files = [path for clip in found.clips if (path := _result(planner, clip, report.outcomes)) is not None]
    show_text(report.text().partition("\n")[0])
    report.check()
    return report


def _clips_of(request: FolderRequest) -> Found:
    """Return the clips of the folder; VFEError where there are none."""
    if request.output.samefile(request.source):
        raise VFEError(f"{request.output}: is the folder of the clips; choose another output")
    found = find_clips(request.source, request.output, watch=True)
    if found is None or not (found.clips or found.unread):
        raise VFEError(f"{request.source}: no videos or images there; choose a folder that has some")
    return found


def _result(planner: Planner, clip: Clip, outcomes: Mapping[Path, Outcome]) -> Path | None:
    """Return the result of a clip, where there is one."""
    if isinstance(outcomes.get(clip.name, Failed("")), Failed):
        return None
    path = planner.output_of(clip)
    return path if path.exists() else None


def _in_words(outcome: Outcome) -> str:
    """Return what became of a clip."""
    if isinstance(outcome, Made):
        return "; ".join((f"{outcome.frames} frames in {outcome.seconds:.1f} s", *outcome.notes))
    return outcome.reason if not isinstance(outcome, Failed) else f"failed: {outcome.reason}"


class OneAfterAnother:
    """A `Pool` that restores files in this process, each when it is waited for."""

    def __init__(self, restore: Callable[[FileTask], Made | Failed]) -> None:
        self._restore = restore
        self._task: FileTask | None = None

    @property
    def has_room(self) -> bool:
        """Whether it takes another file now."""
        return self._task is None

    @property
    def is_busy(self) -> bool:
        """Whether a file waits to be restored."""
        return self._task is not None

    def submit(self, task: FileTask) -> None:
        """Take a file."""
        self._task = task

    def wait(self, seconds: float | None) -> list[Report]:  # noqa: ARG002 - of a `Pool`
        """Restore the file that was taken, if any, and return what became of it."""
        task, self._task = self._task, None
        return [] if task is None else [(task, self._restore(task))]


class _FolderRun:
    """Restores one file after another, and shows which it is and how far."""

    def __init__(self, restorer: ComfyRestorer, window: WindowConfig | None, planner: Planner, clips: int) -> None:
        self._restorer, self._window, self._planner, self._clips = restorer, window, planner, clips
        self._ended = 0

    def ended(self) -> None:
        """Count a clip that is done with; raises ComfyUI's exception when the user has pressed Cancel."""
        self._ended += 1
        Reporter(self._clips).report(min(self._ended, self._clips))

    def restore(self, task: FileTask) -> Made | Failed:
        """Restore a file, or return why it failed."""
        try:
            report = self._restored(task)
        except VFEError as error:
            reason = advised(error)
        except (OSError, FFmpegError) as error:
            reason = str(error.strerror or error)
        except (MemoryError, torch.cuda.OutOfMemoryError):
            reason = f"out of memory; {IN_NODES[Remedy.SHRINK_FRAMES]}"
        else:
            return Made(report.frames, report.seconds, report.notes)
        return Failed(" ".join(reason.removeprefix(f"{task.clip.path}: ").split()))

    def _restored(self, task: FileTask) -> RestoreReport:
        info, reporter = probe(task.clip.path), Reporter(MANY)
        width, height = task.options.output_size(info.width, info.height)
        size = VideoShape(MANY, height, width)
        shown = shown_restorer(self._restorer, size, self._window, reporter, keeps=False)  # no clip is run again
        name = f"{task.clip.name.as_posix()} ({self._ended + 1} of {self._clips})"
        passes = FilePasses(reporter, finds_faces=shown.finds_faces(task.options), name=name)

        def report(done: int, total: int | None) -> None:
            self._planner.heard(task)
            passes.report(done, total)

        return shown.restore_file(task.clip.path, task.output, task.options, report)
