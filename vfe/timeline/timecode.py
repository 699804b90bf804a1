"""Timecodes: how many frames they count, and back; frames that drop-frame timecodes skip are not counted."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_TEXT = re.compile(r"(\d{1,3}):([0-5]?\d):([0-5]?\d)([:;.,])(\d{1,3})", re.ASCII)
_NEAR = Fraction(1, 500)  # by which a rate may be off one that timecodes are of


class Timecode(NamedTuple):
    """A place on the clock of a camera or a tape."""

    frames: int
    """From 00:00:00:00 on."""
    drops: bool
    """Whether it is drop-frame."""


def counted_rate(fps: Fraction) -> int | None:
    """Return how many frames a second of timecode has at a rate; None where none is made for it."""
    whole = round(fps)
    for exact in (Fraction(whole), Fraction(whole * 1000, 1001)):
        if whole and abs(fps - exact) < exact * _NEAR:
            return whole
    return None


def read_timecode(text: str, fps: Fraction) -> Timecode | None:
    """Read hh:mm:ss:ff, or hh:mm:ss;ff of drop-frame; None for anything else."""
    found, rate = _TEXT.fullmatch(text.strip()), counted_rate(fps)
    if found is None or rate is None or int(found[5]) >= rate:
        return None
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    count = ((hours * 60 + minutes) * 60 + seconds) * rate + frames
    drops = found[4] in ";." and rate % 30 == 0
    if drops:
        passed = hours * 60 + minutes
        count -= rate // 15 * (passed - passed // 10)
    return Timecode(max(0, count), drops)


def timecode_text(timecode: Timecode, fps: Fraction) -> str | None:
    """Return a timecode as text; None at a rate that has none."""
    rate = counted_rate(fps)
    if rate is None:
        return None
    count = timecode.frames
    if timecode.drops:
        skipped = rate // 15
        tens, rest = divmod(count, rate * 600 - 9 * skipped)
        minutes = max(0, rest - rate * 60) // (rate * 60 - skipped) + (rest >= rate * 60)
        count += 9 * skipped * tens + skipped * minutes
    seconds, frames = divmod(count, rate)
    hours, minutes, seconds = seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{';' if timecode.drops else ':'}{frames:02}"
