"""Clips are scored: their frames are read once, two at a time, and every metric sees each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..face.detect.detector import FaceDetector
from ..types import Progress, VFEError, no_progress
from .align import AlignedClips, Together, label_file
from .choose import Networks, choose_metrics
from .faces import FaceSource, LabelledFace, MainFace, SeenFace, face_near
from .metric import OfSet, Scored, ScoredClip
from .moment import Moment, Truth
from .options import ScoreOptions
from .pairs import Pair
from .picture import Picture, Step
from .scores import INPUT, RESULT, ClipScores, Scores


class Scoring:
    """The scoring of clips, one after the other, with networks that are loaded once."""

    def __init__(self, options: ScoreOptions, pairs: Sequence[Pair]) -> None:
        """`pairs` are the clips to come. Raises VFEError where a pack is asked for that cannot be used."""
        self.options, self.pairs = options, pairs
        self.sides = (RESULT, INPUT) if pairs[0].source is not None else (RESULT,)
        networks = Networks(options)
        has = (pairs[0].reference is not None, pairs[0].source is not None)
        self.metrics = {side: choose_metrics(networks, *has) for side in self.sides}
        self.notes: list[str] = list(networks.notes)
        self._detector = FaceDetector.load()

    def run(self, on_progress: Progress = no_progress) -> Scores:
        """Score all clips; one that fails among several is told in its row, and alone it raises VFEError."""
        clips = []
        for pair in self.pairs:
            try:
                clips.append(self._clip(pair, on_progress))
            except VFEError as error:
                if len(self.pairs) == 1:
                    raise
                clips.append(ClipScores(pair.name, 0, {}, str(error)))
        figures = [metric.figure for metric in self.metrics[RESULT]]
        return Scores(figures, self.sides, clips, self._of_set(), self.notes)

    def _clip(self, pair: Pair, on_progress: Progress) -> ClipScores:
        for side, path in zip(self.sides, (pair.result, pair.source), strict=False):
            assert path is not None
            for metric in self.metrics[side]:
                metric.begin(ScoredClip(path, path.is_dir() or not path.is_file()))
        frames = 0
        with AlignedClips(pair, self.options.frames) as clips:
            moments = _Moments(self._truth_faces(pair), self._detector, pair.reference is not None)
            for together in clips:
                self._see(moments, frames, together)
                frames += 1
                on_progress(frames, clips.info.frames)
            self.notes += [note for note in clips.notes if note not in self.notes]
        sides = {side: {m.figure.name: m.scored() for m in metrics} for side, metrics in self.metrics.items()}
        return ClipScores(pair.name, frames, sides)

    def _see(self, moments: _Moments, number: int, together: Together) -> None:
        versions = dict(zip(self.sides, (together.result, together.source), strict=False))
        for side, moment in moments.next(number, together, versions).items():
            for metric in self.metrics[side]:
                metric.see(moment)

    def _truth_faces(self, pair: Pair) -> FaceSource:
        labels = label_file(self.options.labels, pair.name)
        return MainFace(self._detector) if labels is None else LabelledFace(labels)

    def _of_set(self) -> dict[tuple[str, str], Scored]:
        return {
            (side, metric.figure.name): metric.of_set()
            for side, metrics in self.metrics.items()
            for metric in metrics
            if isinstance(metric, OfSet)
        }


class _Moments:
    """Makes moments of frames, of which it keeps the last."""

    def __init__(self, truth: FaceSource, detector: FaceDetector, has_reference: bool) -> None:
        self._truth, self._detector, self._has_reference = truth, detector, has_reference
        self._own: dict[str, MainFace] = {}
        self._before: tuple[Together, dict[str, Picture | None]] | None = None

    def next(self, number: int, together: Together, versions: dict[str, Picture | None]) -> dict[str, Moment]:
        """Return the moment of each version of the clip."""
        before = self._before
        clean, clean_before = together.reference, None if before is None else before[0].reference
        guide, guide_before = clean or together.source, clean_before or (None if before is None else before[0].source)
        find = partial(self._truth.next, clean) if clean is not None else _nothing
        truth = Truth(clean, _step(clean_before, clean), _step(guide_before, guide), find)
        if clean is not None:
            truth.flow_step = truth.clean_step  # one object, so that its flow is computed once
        self._before = (together, versions)
        moments = {}
        for side, shown in versions.items():
            assert shown is not None
            earlier = None if before is None else before[1][side]
            moments[side] = Moment(number, shown, _step(earlier, shown), truth, self._finder(side, shown, truth))
        return moments

    def _finder(self, side: str, shown: Picture, truth: Truth) -> Callable[[], SeenFace | None]:
        """Return what finds the face of a version: near the reference's, or without one its own main face."""
        if not self._has_reference:
            return partial(self._own.setdefault(side, MainFace(self._detector)).next, shown)
        return partial(_near, self._detector, shown, truth)


def _near(detector: FaceDetector, shown: Picture, truth: Truth) -> SeenFace | None:
    face = truth.face
    return None if face is None or face.close is None else face_near(detector, shown, face.close)


def _nothing() -> SeenFace | None:
    return None


def _step(before: Picture | None, now: Picture | None) -> Step | None:
    return None if before is None or now is None else Step(before, now)
