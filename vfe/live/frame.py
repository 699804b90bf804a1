"""A frame on its way through a live run. H W sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Pixels (H, W, 3) of red, green and blue."""


@dataclass(frozen=True)
class RawFrame:
    """A frame as the input's decoder gave it; its pixels are made where somebody needs them, for many are dropped."""

    number: int
    """How many frames the input gave before it."""
    taken: float
    """When the input gave it, in seconds of the monotonic clock."""
    develop: Callable[[], Picture]
    """Makes its pixels, once."""

    def developed(self) -> LiveFrame:
        """Return it with its pixels."""
        return LiveFrame(self.number, self.taken, self.develop())


@dataclass(frozen=True)
class LiveFrame:
    """A frame of an input, with its pixels."""

    number: int
    """How many frames the input gave before it, dropped ones included."""
    taken: float
    """When the input gave it, in seconds of the monotonic clock."""
    picture: Picture


@dataclass(frozen=True)
class ShownFrame:
    """A frame as it goes out, before and after; both are one picture where nothing was restored."""

    frame: LiveFrame
    restored: Picture

    def of_view(self, view: str) -> Picture:
        """Return the picture of a view: before, after, or split, which is the left half before and the right after."""
        if view == "before":
            return self.frame.picture
        if view == "after":
            return self.restored
        middle = self.restored.shape[1] // 2
        both = np.concatenate([self.frame.picture[:, :middle], self.restored[:, middle:]], axis=1)
        both[:, max(middle - 1, 0) : middle + 1] = 255
        return both
