"""One origin for all streams of a file, and no jumps where recordings were joined.

This is what the ffmpeg program does with packets between the demuxer and the decoder (fftools/ffmpeg.c of FFmpeg 5.1,
process_input): the file starts at 0, a clock that wrapped around goes on, and where the times of an MPEG-TS, MPEG-PS or
Ogg file jump, the jump is taken off all streams alike, so that sound and picture stay in step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from ..companions import companions
from ..flags import flag_number
from .scale import MICROSECOND, rescale

_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT: times of the format may jump, and mean nothing before and after
_JUMP_THRESHOLD = 10_000_000  # microseconds: ffmpeg's -dts_delta_threshold, beyond which a gap is no pause
_FALL_THRESHOLD = 100_000  # microseconds by which times may fall before that is a jump: packets are not always in order
_ERROR_THRESHOLD = 3600 * 30 * 1_000_000  # microseconds: ffmpeg's -dts_error_threshold for all other formats
_CLOCK, _CLOCK_BITS = Fraction(1, 90_000), 33  # of MPEG-TS and MPEG-PS


@dataclass
class _Progress:
    """How far one stream has come; times are in microseconds."""

    dts: int = 0
    next_dts: int | None = None
    wraps: bool = True
    """Whether its times may still be those of before a wrap."""


class Timeline:
    """Repairs the times of packets, which must come in the order of the file.

    Each reader of a file has its own, and gives it the packets of all streams that are used, also of those that it does
    not want: the same packets give the same times.
    """

    def __init__(self, container: InputContainer, streams: Iterable[Stream]) -> None:
        self._jumps_allowed = times_may_jump(container)
        self._start = container.start_time
        streams = list(streams)
        self._offset = -(_start_of(self._start, streams) if self._jumps_allowed else self._start or 0)
        self._origin = self._offset
        self._progress = {stream.index: _Progress() for stream in streams}
        self._last: int | None = None
        self.jumps = 0
        """Jumps closed until now."""

    def mend(self, packet: Packet[Stream]) -> None:
        """Repair the times of the next packet, in its own time base. Packets of other streams are left as they are."""
        progress = self._progress.get(packet.stream_index)
        unit = packet.time_base
        if progress is None or packet.size == 0 or not unit:
            return
        self._unwrap(packet, unit, progress)
        if self._jumps_allowed and packet.pts is not None and packet.dts is not None:
            if abs(rescale(packet.pts - packet.dts, unit, MICROSECOND)) > _JUMP_THRESHOLD:
                packet.pts = None  # one of its bits is wrong, for frames are not held back that long
        _move(packet, rescale(self._offset, MICROSECOND, unit))
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            if self._jumps_allowed:
                self._close_jump(packet, unit, progress)
            elif progress.next_dts is not None:
                _drop_nonsense(packet, unit, progress.next_dts)
        if packet.dts is not None:
            self._last = rescale(packet.dts, unit, MICROSECOND)
        _advance(packet, unit, progress)

    @property
    def reached(self) -> float:
        """Where the packets until now end, of whatever stream, in seconds."""
        return max((p.next_dts for p in self._progress.values() if p.next_dts is not None), default=0) / 1_000_000

    def from_start(self, ticks: int, unit: Fraction) -> int:
        """Return a time that the header of the file states (of a chapter), counted from the origin; it knows of no
        jumps.
        """
        return ticks + rescale(self._origin, MICROSECOND, unit)

    def _unwrap(self, packet: Packet[Stream], unit: Fraction, progress: _Progress) -> None:
        """Take off a whole round of the clock from what lies more than half a round after the start."""
        if not progress.wraps or self._start is None or not self._jumps_allowed or unit != _CLOCK:
            return
        half = rescale(self._start, MICROSECOND, unit) + (1 << (_CLOCK_BITS - 1))
        late = [when is not None and when > half for when in (packet.dts, packet.pts)]
        if late[0] and packet.dts is not None:
            packet.dts -= 1 << _CLOCK_BITS
        if late[1] and packet.pts is not None:
            packet.pts -= 1 << _CLOCK_BITS
        progress.wraps = any(late)

    def _close_jump(self, packet: Packet[Stream], unit: Fraction, progress: _Progress) -> None:
        assert packet.dts is not None
        when = rescale(packet.dts, unit, MICROSECOND)
        if progress.next_dts is not None:
            delta = when - progress.next_dts
            jumps = abs(delta) > _JUMP_THRESHOLD or when + _FALL_THRESHOLD < progress.dts
        elif self._last is not None:  # its first packet: only the other streams tell
            delta = when - self._last
            jumps = abs(delta) > _JUMP_THRESHOLD
        else:
            return
        if jumps:
            self.jumps += 1
            self._offset -= delta
            _move(packet, -rescale(delta, MICROSECOND, unit))


def times_may_jump(container: InputContainer) -> bool:
    """Return whether the times of this format count from an arbitrary hour and may jump, as those of broadcasts do."""
    return bool(flag_number(container.format.flags) & _TS_DISCONT)


def used_streams(container: InputContainer, video: Stream) -> list[Stream]:
    """Return the streams of a file that may go into the output: its video, and the pictures, sound and text
    beside it.
    """
    return [video, *(s for s in companions(container, video)[0] if s.type in ("video", "audio", "subtitle"))]


def _start_of(start: int | None, streams: list[Stream]) -> int:
    """Return where the streams that are used begin, in microseconds; others of a broadcast may begin long before."""
    starts = [
        rescale(s.start_time, s.time_base, MICROSECOND) for s in streams if s.start_time is not None and s.time_base
    ]
    return max(start or 0, min(starts)) if starts and start is not None else start or 0


def _move(packet: Packet[Stream], ticks: int) -> None:
    if packet.dts is not None:
        packet.dts += ticks
    if packet.pts is not None:
        packet.pts += ticks


def _drop_nonsense(packet: Packet[Stream], unit: Fraction, expected: int) -> None:
    """Take away times of another day, which are errors in formats whose times do not jump."""
    if packet.dts is not None and abs(rescale(packet.dts, unit, MICROSECOND) - expected) > _ERROR_THRESHOLD:
        packet.dts = None
    if packet.pts is not None and abs(rescale(packet.pts, unit, MICROSECOND) - expected) > _ERROR_THRESHOLD:
        packet.pts = None


def _advance(packet: Packet[Stream], unit: Fraction, progress: _Progress) -> None:
    """Note where the next packet of the stream should be; a packet without a decoding time gets the one expected."""
    if packet.dts is not None:
        progress.dts = rescale(packet.dts, unit, MICROSECOND)
    elif progress.next_dts is not None:
        progress.dts = progress.next_dts
        packet.dts = rescale(progress.dts, MICROSECOND, unit)
    elif packet.pts is not None:
        progress.dts = rescale(packet.pts, unit, MICROSECOND)
    else:
        return  # a raw stream: nothing is known before the first time
    progress.next_dts = progress.dts + _length(packet, unit)


def _length(packet: Packet[Stream], unit: Fraction) -> int:
    """Return how long a packet lasts, in microseconds; 0 where nothing tells."""
    context = packet.stream.codec_context
    rate = getattr(context, "sample_rate", 0)
    if rate and getattr(context, "frame_size", 0):
        return 1_000_000 * context.frame_size // rate  # type: ignore[attr-defined]
    if packet.duration:
        return rescale(packet.duration, unit, MICROSECOND)
    frames = getattr(packet.stream, "average_rate", None)
    return round(1_000_000 / frames) if frames else 0
