"""A scorer for tests of what is around it: quick, the same each time, and it notes every clip that it scores."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from vfe.curation.clip import FaceClip
from vfe.curation.verdict import Scorer, Verdict


@dataclass(frozen=True)
class CountingScorer:
    """Scores by how bright a clip is. Makes itself, as a worker asks for it."""

    notes: Path
    """A file that gets a line for each clip."""
    settings: str = "1"
    unscored: bool = False
    dies_at: int = 0
    """The number of frames of clips at which its process is killed, as for want of memory."""

    def __call__(self) -> Scorer:
        return self

    @property
    def name(self) -> str:
        return "counting"

    @property
    def key(self) -> str:
        return f"counting {self.settings}"

    def score(self, clip: FaceClip) -> Verdict:
        if len(clip.frames) == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        mean = float(clip.frames.float().mean())
        with self.notes.open("a") as file:
            file.write(f"{len(clip.frames)} {mean:.6f}\n")
        if self.unscored:
            return Verdict(unscored="nobody answers")
        value = round(mean / 2.55, 4)
        return Verdict(detail=value, stability=value, lighting=value, artefacts=value, occlusion=value, why="as bright")
