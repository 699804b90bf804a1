"""What a likeness distance is measured with."""

from __future__ import annotations

from typing import NamedTuple


class LikenessScale(NamedTuple):
    """A net, and the scale of its distances."""

    net: str
    """Its name, for people."""
    tells_people_apart: bool
    """Whether it was trained to."""
    stranger: float | None
    """The median distance to a portrait of somebody else; None where we did not measure it."""
