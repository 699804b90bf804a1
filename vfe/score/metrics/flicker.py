"""What changes from frame to frame and should not, without optical flow. Our own measure."""

from __future__ import annotations

from ..metric import Figure, OfFrames
from ..moment import Moment


class Flicker(OfFrames):
    """1000 times the mean absolute change of the error to the reference from one frame to the next, RGB in [0, 1].

    What moves as the reference does adds nothing; a constant error adds nothing.
    """

    figure = Figure("flicker", "lower")
    why = "it needs two frames"

    def value(self, moment: Moment) -> float | None:
        """Return the change since the frame before."""
        shown, clean = moment.shown_step, moment.truth.clean_step
        if shown is None or clean is None:
            return None
        change = (shown.now.values - clean.now.values) - (shown.before.values - clean.before.values)
        return float(1e3 * change.abs().mean() / 255)

    def see(self, moment: Moment) -> None:
        """Take the change; the first frame has none, and is not missed."""
        if moment.shown_step is not None:
            super().see(moment)
