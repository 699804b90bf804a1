"""Whether all of a file was read. It is judged by times, for files count frames that they do not have."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from .decode import Damage
from .probe import stream_seconds
from .times.timeline import times_may_jump

_COMPLETE_SHARE = 0.98  # a file whose frames reach this part of its stated length is not cut short


class Claim(NamedTuple):
    """What a file says about its own length; 0 where it says nothing."""

    frames: int
    end: float
    """The seconds from the start of the file until its last frame ends."""
    of_all: bool = False
    """Whether that is the end of the stream that lasts longest, which may be sound."""


def claim_of(container: InputContainer, stream: VideoStream) -> Claim:
    """Return what the header says of the length of a stream.

    For broadcast formats it is nothing: FFmpeg guesses their length from the first and last times.
    """
    if times_may_jump(container):
        return Claim(0, 0)
    # Matroska counts from 0, however late the file starts; others do not, but then only a cut may be overlooked.
    late = max(0, container.start_time or 0) / av.time_base
    if container.duration and container.format.name == "flv":
        return Claim(0, container.duration / av.time_base - late, of_all=True)
    seconds = stream_seconds(stream) or 0
    counted = not seconds or container.format.name == "avi"  # of a cut AVI, FFmpeg gives the length of what is left
    if counted and stream.frames and stream.average_rate:
        seconds = max(seconds, float(stream.frames / stream.average_rate))
    return Claim(stream.frames, seconds - late)


def falls_short(claim: Claim, end: float, rate: Fraction, damage: Damage) -> bool:
    """Return whether frames end before the file says that they do.

    `end` is where the last one ends, in seconds, `rate` the frames per second.
    """
    return (max(end, damage.reached) if claim.of_all else end) < claim.end * _COMPLETE_SHARE - 2 / rate


def damage_notes(name: str, claim: Claim, count: int, end: float, rate: Fraction, damage: Damage) -> list[str]:
    """Return sentences on what is wrong with a file of which `count` frames were read; for the rest see
    `falls_short`.
    """
    notes = []
    short = falls_short(claim, end, rate, damage)
    if short or (damage.bad_packets and not 0 < claim.frames <= count + damage.skipped_packets):
        stated = claim.frames or (round(count * claim.end / end) if short and end else 0)
        lost = f"{count} of {stated} frames were read" if stated > count else f"{count} frames were read"
        notes.append(f"{name} is damaged or cut short: {lost}, {damage.bad_frames} of them with errors")
    elif damage.bad_frames:
        notes.append(f"{damage.bad_frames} of {count} frames of {name} have errors")
    if damage.jumps:
        times = "once" if damage.jumps == 1 else f"{damage.jumps} times"
        notes.append(f"the times of {name} jump {times}, as where recordings were joined; it is played through")
    if damage.moved:
        wrong = "did not increase, or lay before its start, and were moved"
        notes.append(f"the times of {damage.moved} of {count} frames of {name} {wrong}")
    return notes
