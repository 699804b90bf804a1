"""How much lighter or darker a clip is than the reference. Our own measure."""

from __future__ import annotations

import torch

from ..metric import Figure, Scored, ScoredClip
from ..moment import Moment


class Colour:
    """The mean signed error of the channel in which it is largest, in levels of 255: 0 is ideal."""

    figure = Figure("colour", "zero")

    def begin(self, clip: ScoredClip) -> None:  # noqa: ARG002 - as every metric
        """Start with a clip."""
        self._total, self._frames = torch.zeros(3, dtype=torch.float64), 0

    def see(self, moment: Moment) -> None:
        """Add the mean errors of a frame's channels."""
        assert moment.clean is not None
        self._total += (moment.shown.values - moment.clean.values).mean((1, 2), dtype=torch.float64)
        self._frames += 1

    def scored(self) -> Scored:
        """Return the largest one, with its sign."""
        shift = self._total / max(self._frames, 1)
        return Scored(float(shift[shift.abs().argmax()]))
