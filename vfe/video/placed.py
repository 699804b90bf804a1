"""Where a frame stands in its clip, apart from its pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol


class Placed(Protocol):
    """When a frame is shown, and the name of an image. A frame has these, and so has its row in a table of frames."""

    @property
    def pts(self) -> int | None:
        """When it is shown, in units of `time_base` seconds; None for images."""

    @property
    def time_base(self) -> Fraction | None:
        """The unit of its times, in seconds."""

    @property
    def duration(self) -> int | None:
        """How long it is shown, in units of `time_base`; None where that is unknown."""

    @property
    def name(self) -> str | None:
        """The file name of an image."""
