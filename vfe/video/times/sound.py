"""Times of sound, counted in samples: containers that count milliseconds say only roughly when a packet starts."""

from __future__ import annotations

from fractions import Fraction

from .scale import rescale


class SampleClock:
    """Turns the times of successive packets or frames of sound into exact ones, as FFmpeg's av_rescale_delta does.

    As long as what a file says is as near as its units allow, a packet starts where the one before it ends.
    """

    def __init__(self, rate: int) -> None:
        self._sample = Fraction(1, rate)
        self._next: int | None = None

    def following(self) -> int:
        """Return when the samples after the last ones start, in samples; 0 before the first."""
        return self._next or 0

    def exact(self, when: int, unit: Fraction, samples: int, target: Fraction) -> int:
        """Return when `samples` samples start that should start at `when` units, in units of `target` seconds."""
        if self._next is not None and samples and unit > target:
            sample = self._sample
            low = _floor((2 * when - 1) * unit / sample) >> 1
            high = (_ceil((2 * when + 1) * unit / sample) + 1) >> 1
            if 2 * low - high <= self._next <= 2 * high - low:
                start = min(max(self._next, low), high)
                self._next = start + samples
                return rescale(start, sample, target)
        self._next = rescale(when, unit, self._sample) + samples
        return rescale(when, unit, target)


class Increasing:
    """Gives decoding times as a muxer takes them, each after the one before it: mux_fixup_ts of the ffmpeg program."""

    def __init__(self, least_step: int) -> None:
        self._step = least_step
        self._last: int | None = None

    def mended(self, pts: int, dts: int) -> tuple[int, int]:
        """Return both times of the next packet, moved up where the decoding time has been already."""
        if self._last is not None and dts < self._last + self._step:
            least = self._last + self._step
            pts, dts = max(pts, least) if pts >= dts else pts, least
        self._last = dts
        return pts, dts


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
