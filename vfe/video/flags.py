"""FFmpeg's flags as numbers: in PyAV they are numbers in some releases and enumerations in others."""

from __future__ import annotations


def flag_number(flags: object) -> int:
    """Return the number of a set of flags."""
    return int(getattr(flags, "value", flags))  # type: ignore[call-overload]
