"""How steady a clip is along the motion of the reference. Our own measure; `e_warp` has the published one."""

from __future__ import annotations

from ..flow import LEAST_SIDE, TOO_SMALL, taken_along
from ..metric import Figure, OfFrames
from ..moment import Moment

MAX_CYCLE_ERROR = 1.0
"""Pixels: what comes back further away was hidden in the other frame."""


class Warp(OfFrames):
    """1000 times the mean absolute luma difference, in [0, 1], of the frame before, taken along the reference's flow
    (DIS), and the frame now; over pixels that the flows there and back bring home to within a pixel.
    """

    figure = Figure("warp", "lower")
    why = TOO_SMALL

    def see(self, moment: Moment) -> None:
        """Take the error; the first frame has none, and is not missed."""
        if moment.shown_step is not None:
            super().see(moment)

    def value(self, moment: Moment) -> float | None:
        """Return the error since the frame before."""
        shown, clean = moment.shown_step, moment.truth.clean_step
        assert shown is not None and clean is not None
        if min(moment.shown.size) < LEAST_SIDE:
            return None
        back = clean.backward
        cycle = back + taken_along(clean.forward, back)
        seen = (cycle**2).sum(-1) < MAX_CYCLE_ERROR**2
        error = abs(taken_along(shown.before.luma, back) - shown.now.luma.numpy())[seen]
        return float(1e3 * error.mean() / 255) if error.size else None
