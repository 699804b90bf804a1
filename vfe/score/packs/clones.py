"""FasterVQA and DOVER by clones of their repositories: a whole video goes to the script that they bring.

Both say a number from 0 to 1 of a video file; folders of images they do not take. FasterVQA (VQAssessment/
FAST-VQA-and-FasterVQA) is under the MIT licence; DOVER (VQAssessment/DOVER) under S-Lab License 1.0, which forbids
commercial use.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..metric import Figure, Scored, ScoredClip
from ..moment import Moment

TIMEOUT = 3600.0
"""Seconds that a script may take for a video."""


@dataclass(frozen=True)
class Clone:
    """A repository whose script scores a video."""

    figure: Figure
    folder: str
    """How the clone is called in the folder of weights."""
    script: str
    arguments: tuple[str, ...]
    answer: re.Pattern[str]
    """What the script says, with the number."""
    licence: str


FASTER_VQA = Clone(
    Figure("fastervqa", "higher", net="FasterVQA, by its repository"),
    "FAST-VQA-and-FasterVQA",
    "vqa.py",
    ("-m", "FasterVQA", "-d", "cpu"),
    re.compile(r"quality score of the video \(range \[0,1\]\) is (\d+(?:\.\d+)?)"),
    "FasterVQA is under the MIT licence",
)
DOVER = Clone(
    Figure("dover", "higher", net="DOVER, by its repository"),
    "DOVER",
    "evaluate_one_video.py",
    ("-f", "-d", "cpu"),
    re.compile(r"fused overall score \(scale in \[0,1\]\): (\d+(?:\.\d+)?)"),
    "DOVER is under S-Lab License 1.0: not for commercial use",
)


class CloneMetric:
    """What a clone's script says of a clip; it sees the file, no frames."""

    def __init__(self, clone: Clone, root: Path) -> None:
        """`root` is the clone's folder."""
        self.figure, self._clone, self._root = clone.figure, clone, root

    def begin(self, clip: ScoredClip) -> None:
        """Note the clip."""
        self._clip = clip

    def see(self, moment: Moment) -> None:
        """Do nothing."""

    def scored(self) -> Scored:
        """Run the script."""
        if self._clip.frames_are_files:
            return Scored(math.nan, "it takes a video file, no images")
        path = str(self._clip.path.resolve())
        command = [sys.executable, self._clone.script, "-v", path, *self._clone.arguments]
        try:
            done = subprocess.run(
                command, cwd=self._root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return Scored(math.nan, f"{self._clone.script} took more than {TIMEOUT:.0f} s")
        said = self._clone.answer.search(done.stdout)
        if done.returncode or said is None:
            last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            return Scored(math.nan, f"{self._clone.script} failed: {last[:200]}")
        return Scored(float(said[1]))


def find_clone(clone: Clone, weights: Path | None) -> Path | None:
    """Return the folder of a clone that is in the folder of weights."""
    root = None if weights is None else weights / clone.folder
    return root if root is not None and (root / clone.script).is_file() else None
