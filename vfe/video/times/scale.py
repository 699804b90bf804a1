"""Times are taken from one unit into another, rounded as FFmpeg's av_rescale_q rounds them."""

from __future__ import annotations

from fractions import Fraction

MICROSECOND = Fraction(1, 1_000_000)


def rescale(ticks: int, unit: Fraction, other: Fraction) -> int:
    """Return `ticks` of `unit` seconds in units of `other` seconds; halves are rounded away from zero."""
    top, bottom = abs(ticks) * unit.numerator * other.denominator, unit.denominator * other.numerator
    rounded = (2 * top + bottom) // (2 * bottom)
    return rounded if ticks >= 0 else -rounded
