"""Temporal landmark motion error on five landmarks of the bundled face net.

PGTFormer (Xu et al. 2024) names it and defines it nowhere, nor does any code that we found; this is a reconstruction,
with a reference only: how far the landmarks' motion from frame to frame is from the reference's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..metric import Figure, OfFrames, ScoredClip
from ..moment import Moment


class Tlme5(OfFrames):
    """1000 times the mean over frames and points of |motion - the reference's motion| over the longer side."""

    figure = Figure("tlme5", "lower", net="the bundled face net")
    why = "no face was found on two frames in a row, in it or in the reference"

    def begin(self, clip: ScoredClip) -> None:
        """Start with a clip."""
        super().begin(clip)
        self._before: Tensor | None = None

    def see(self, moment: Moment) -> None:
        """Take the motion; the first frame has none, and is not missed."""
        offsets = self._offsets(moment)
        if moment.shown_step is not None:
            if offsets is None or self._before is None:
                self._mean.missing += 1
            else:
                moved = torch.linalg.vector_norm(offsets - self._before, dim=-1).mean()
                self._mean.add(moment.number, float(1e3 * moved / moment.shown.longer_side))
        self._before = offsets

    def _offsets(self, moment: Moment) -> Tensor | None:
        """Return how far the landmarks (5, 2) are from the reference's: their change is that of the motion."""
        seen, truth = moment.face, moment.truth.face
        return None if seen is None or truth is None else seen.landmarks - truth.landmarks
