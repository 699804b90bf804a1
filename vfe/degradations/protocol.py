"""What a family of degradations and one draw of it can do, whichever family it is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor


class DrawnDegradation(Protocol):
    """One degradation, fixed but for the noise that `apply` draws."""

    def apply(self, clean: Tensor, rng: np.random.Generator) -> Tensor:
        """Degrade (T, H, W, 3) uint8: the same shape and type, frame by frame the same moment as `clean`."""
        ...

    def target(self, clean: Tensor) -> Tensor:
        """What a restorer is asked for, (T, H, W, 3) uint8: the clean clip, colourless where the draw is.

        Colour that a recording never had cannot be restored, only invented.
        """
        ...

    def milder(self, severity: float) -> DrawnDegradation:
        """The same degradation at a `severity` from 0, which harms as little as it can, to 1, which is itself.

        With a generator of the same seed it makes the milder twin of the same clip. Raises ValueError outside of 0 to
        1.
        """
        ...


class Family(Protocol):
    """The config of a family: ranges from which its degradations are drawn."""

    def draw(self, rng: np.random.Generator) -> DrawnDegradation: ...
