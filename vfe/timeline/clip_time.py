"""The times of clips in frames of their media.

A clip reads its media at times that count from where the available range of the media starts, which is the timecode of
its first frame, or zero. Times of the same rate as the media count its frames one to one, also where one of both says
30 and the other 29.97.
"""

from __future__ import annotations

import math
from fractions import Fraction

import opentimelineio as otio

from ..types import Stretch, VFEError
from .media import MediaFile

_SAME = Fraction(1, 500)  # by which two rates differ that are one
_NEAR = Fraction(1, 1000)  # of a frame, by which numbers of whole frames are off that were computed as floats
_LONGEST = 10**10  # frames
_SLACK = 1  # frames by which the length of a file may be another than a timeline says


def rate_of(value: float) -> Fraction:
    """Return frames per second exactly. Raises VFEError for what is no rate.

    >>> [str(rate_of(value)) for value in (25.0, 29.97, 23.976)]
    ['25', '30000/1001', '24000/1001']
    """
    if not (math.isfinite(value) and 0 < value < 100_000):
        raise VFEError(f"has a rate of {value:g} frames/s")
    whole = round(value)
    slow = Fraction(whole * 1000, 1001)
    if abs(value - whole) > 1e-6 and abs(Fraction(value) - slow) < Fraction(1, 200):
        return slow
    return Fraction(value).limit_denominator(1001)


def frames_of(time: otio.opentime.RationalTime, fps: Fraction) -> Fraction:
    """Return a time in frames of a rate. Raises VFEError for times that are none."""
    rate = rate_of(time.rate)
    if not (math.isfinite(time.value) and abs(time.value) < _LONGEST):
        raise VFEError(f"has a time of {time.value:g} frames")
    value = Fraction(time.value)
    whole = round(value)
    value = Fraction(whole) if abs(value - whole) < _NEAR else value
    return value if abs(rate - fps) <= fps * _SAME else value * fps / rate


def stretch_of(start: Fraction, stop: Fraction) -> Stretch:
    """Return the whole frames between two places. Raises VFEError where there are none."""
    first, last = math.floor(start + _NEAR), math.ceil(stop - _NEAR)
    if last <= first:
        raise VFEError("has no frames")
    return Stretch(max(0, first), max(1, last))


def origin_of(
    available: otio.opentime.TimeRange | None, media: MediaFile, used: Fraction | None, from_zero: bool
) -> Fraction:
    """Return the time of the first frame of the media, in frames, by a clip's clock, on which it reads from `used` on.

    An available range that is shorter than the file and lies within the times of the file itself is taken for a part
    of it; any other starts at the first frame. `from_zero` says that the timeline knows no timecodes of media. Raises
    VFEError where the clip reads nothing that the file has.
    """
    own = Fraction(0 if from_zero or media.timecode is None else media.timecode.frames)
    told = own
    if available is not None:
        start, length = frames_of(available.start_time, media.fps), frames_of(available.duration, media.fps)
        is_part = length < media.frames - _SLACK and own <= start and start + length <= own + media.frames + _SLACK
        told = own if is_part else start
    if used is None:
        return told
    for origin in (told, own, Fraction(0)):
        if -_SLACK < used - origin < media.frames:
            return origin
    raise VFEError(f"is read from frame {float(used - told):g} on, and has {media.frames} frames")


def media_time(
    frame: Fraction, media: MediaFile, available: otio.opentime.TimeRange | None
) -> otio.opentime.RationalTime:
    """Return a place in frames as a time of the media's rate, written as the timeline writes it."""
    rate = float(media.fps)
    if available is not None and abs(rate_of(available.start_time.rate) - media.fps) <= media.fps * _SAME:
        rate = available.start_time.rate
    return otio.opentime.RationalTime(float(frame), rate)
