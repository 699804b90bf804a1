"""How much fine detail there is beside the reference: the ratio of the gradients' energy. Our own measure.

Noise and ringing count as detail: it says how soft a result is, not whether its detail is true.
"""

from __future__ import annotations

import math

from ..metric import Figure, Scored, ScoredClip
from ..moment import Moment
from ..picture import Picture


class Detail:
    """The clip's mean squared differences of neighbouring lumas, over the reference's: 1 is ideal, below is softer."""

    figure = Figure("detail", "one")

    def begin(self, clip: ScoredClip) -> None:  # noqa: ARG002 - as every metric
        """Start with a clip."""
        self._shown = self._clean = 0.0

    def see(self, moment: Moment) -> None:
        """Add the energies of a frame."""
        assert moment.clean is not None
        self._shown += gradient_energy(moment.shown)
        self._clean += gradient_energy(moment.clean)

    def scored(self) -> Scored:
        """Return the ratio."""
        if not self._clean:
            return Scored(math.nan, "the reference has no detail at all")
        return Scored(self._shown / self._clean)


def gradient_energy(picture: Picture) -> float:
    """Return the mean squared difference of the lumas of vertical neighbours plus that of horizontal ones."""
    luma = picture.luma
    parts = (luma.diff(dim=axis) for axis in (0, 1))
    return sum(float(part.square().mean()) for part in parts if part.numel())
