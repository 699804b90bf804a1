"""FFmpeg's flags as numbers: some releases of PyAV give numbers, others enumerations."""

from __future__ import annotations


def flag_number(flags: object) -> int:
    """Return the number of a set of flags."""
    return int(getattr(flags, "value", flags))  # type: ignore[call-overload]
