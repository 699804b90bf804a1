"""What worker processes do: look through a source, cut out and score a clip. Each clip is a task of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ..batch.plan import Failed
from ..face.detect.detector import FaceDetector
from ..restore.survey import Survey
from ..types import Progress, VFEError, no_progress
from ..video.errors import MEDIA_ERRORS
from ..video.probe import probe
from .candidate import Candidate, content_of, face_in, stretches_in, surveyed_as
from .clip import FaceClip
from .config import ClipConfig
from .cut import Labels, cut_frames, face_clip, labels_of, masks_of
from .files import write_clip, write_labels, write_picture
from .manifest import candidate_path
from .masks import HeadParser
from .record import ClipLine, LeftOut
from .sharpness import sharpness
from .sources import Source
from .survey import DETECTION, survey_of
from .verdict import Scorer, Verdict
from .window import Rejected

SURVEYS = ".vfe-curate"
"""The folder, in that of the set, of what first passes found."""
NOT_READ = (VFEError, OSError, *MEDIA_ERRORS)
"""The errors that are of a source, and not of this program."""


class LookTask(NamedTuple):
    """A source to look through."""

    source: Source


class ClipTask(NamedTuple):
    """A clip to cut out, and to score unless there is a verdict."""

    source: Source
    candidate: Candidate
    key: str
    known: ClipLine | None = None
    """A line with the verdict of this key, where there is one."""


class Looked(NamedTuple):
    """What a source may give."""

    content: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    frames: int


class Unscored(NamedTuple):
    """A clip that was cut out, but the scorer has no verdict on it."""

    reason: str


class CannotScore(NamedTuple):
    """The scorer cannot be used at all, as where it has the wrong key: no other clip would fare better."""

    reason: str


Task = LookTask | ClipTask
Done = Looked | ClipLine | Unscored | CannotScore | Failed
MakeScorer = Callable[[], Scorer]
MakeParser = Callable[[], "HeadParser | None"]


@dataclass(frozen=True)
class Tools:
    """How a worker gets what it needs; it is pickled on its way there."""

    folder: Path
    """The folder of the set."""
    config: ClipConfig
    scorer: MakeScorer
    parser: MakeParser

    def __call__(self) -> Callable[[Task, Progress], Done] | Failed:
        """Return what does a task, or why nothing can be done."""
        try:
            return Worker(self)
        except NOT_READ as error:
            return Failed(" ".join(str(error).split()))


class Worker:
    """Does tasks. It keeps the survey of the source that it was at last."""

    def __init__(self, tools: Tools) -> None:
        self.folder, self.config = tools.folder, tools.config
        self._detector = FaceDetector.load(config=DETECTION)
        self._scorer, self._parser = tools.scorer(), tools.parser()
        self._last: tuple[Path, Survey] | None = None

    def __call__(self, task: Task, on_progress: Progress) -> Done:
        try:
            return self._look(task.source, on_progress) if isinstance(task, LookTask) else self._clip(task)
        except NOT_READ as error:
            return Failed(" ".join(str(error).split()).removeprefix(f"{task.source.path}: "))

    def _look(self, source: Source, on_progress: Progress) -> Looked:
        content = content_of(source)
        survey = self._survey(source, content, on_progress)
        assert survey.tracks is not None
        candidates, left_out = [], []
        for stretch in stretches_in(source, survey.frames, survey.tracks, self.config):
            found = face_in(source, survey.frames, survey.tracks, stretch, self.config)
            if isinstance(found, Rejected):
                left_out.append(LeftOut(stretch.start, stretch.stop, found.reason))
            else:
                candidates.append(Candidate(content, stretch, found[1], self.config.side, self.config.mask))
        return Looked(content, tuple(candidates), tuple(left_out), survey.notes, len(survey.frames))

    def _survey(self, source: Source, content: str, on_progress: Progress) -> Survey:
        folder = self.folder / SURVEYS / surveyed_as(content, source)
        if self._last is None or self._last[0] != folder:
            self._last = folder, survey_of(source, folder, self._detector, on_progress)
        return self._last[1]

    def _clip(self, task: ClipTask) -> ClipLine | Unscored | CannotScore:
        source, candidate = task.source, task.candidate
        survey = self._survey(source, candidate.content, no_progress)
        assert survey.tracks is not None
        found = face_in(source, survey.frames, survey.tracks, candidate.stretch, self.config)
        if isinstance(found, Rejected):
            raise VFEError(f"{source.path}: {found.reason}, which was not so when it was looked through; start anew")
        face, _ = found
        frames = cut_frames(source.path, survey.frames, candidate.stretch, candidate.window, candidate.side)
        fps = probe(source.path).rate
        masks = masks_of(frames, face, candidate.window, candidate.mask, self._parser)
        labels = labels_of(face, candidate.window, candidate.side, masks)
        sha256 = self._write(task, frames, labels, fps)
        clip = face_clip(frames, labels, face, float(fps))
        began = time.monotonic()
        try:
            verdict = self._scorer.score(clip) if task.known is None else _verdict_in(task.known)
        except VFEError as error:
            return CannotScore(str(error))
        if verdict.unscored:
            return Unscored(verdict.unscored)
        seconds = time.monotonic() - began if task.known is None else task.known.seconds
        return self._line(task, clip, verdict, sha256, seconds)

    def _write(self, task: ClipTask, frames: Tensor, labels: Labels, fps: Fraction) -> str:
        """Write the files of a clip, and return the hash of the one with the pictures."""
        kind, clip = task.source.kind, task.candidate.clip
        write_labels(self.folder / "labels" / f"{clip}.npz", labels)
        path = candidate_path(self.folder, kind, clip)
        return write_clip(path, frames, fps) if kind == "hq_video" else write_picture(path, frames[0])

    def _line(self, task: ClipTask, clip: FaceClip, verdict: Verdict, sha256: str, seconds: float) -> ClipLine:
        """Return what the record has of a clip."""
        candidate = task.candidate
        return ClipLine(
            key=task.key,
            clip=candidate.clip,
            kind=task.source.kind,
            content=candidate.content,
            frames=(candidate.stretch.start, candidate.stretch.stop),
            window=(candidate.window.left, candidate.window.top, candidate.window.side),
            scorer=self._scorer.name,
            prompt=self._scorer.key,
            dims=dict(verdict.dimensions),
            bonus=verdict.bonus,
            penalty=verdict.penalty,
            total=verdict.total,
            side=candidate.side,
            fps=clip.fps if task.source.kind == "hq_video" else 0.0,
            mask=self._mask_name(),
            face=round(clip.face_px, 1),
            sharp=round(sharpness(clip.frames, clip.boxes), 1),
            sha256=sha256,
            seconds=round(seconds, 2),
            why=verdict.why,
            raw=verdict.raw,
        )

    def _mask_name(self) -> str:
        """Return what masks cover and by what they are made."""
        if self.config.mask == "oval":
            return "oval (bundled net)"
        return "head (box grown)" if self._parser is None else "head (facexlib parsing)"


def _verdict_in(line: ClipLine) -> Verdict:
    """Return the verdict of a line."""
    numbers = {**line.dims, "bonus": line.bonus, "penalty": line.penalty}
    return Verdict.of(numbers, line.why, line.raw)
