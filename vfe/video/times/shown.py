"""When the frames of a video are shown, also where the file does not say it well.

A decoder puts frames into the order in which they are shown, and hands each the time of its packet. That is the time
it is shown at, unless the container knows only when packets are decoded (AVI, MP4 without composition offsets).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from ..pyav_compat import frame_duration

_B_FRAME = 3  # AV_PICTURE_TYPE_B: shown before a frame that was decoded before it
_MAX_REORDERED = 16  # frames that H.264 and H.265 may hold back to reorder them


class ShownTimes:
    """Gives increasing times to the frames of one stream, in its time base."""

    def __init__(self) -> None:
        self.moved = 0
        """Frames whose times did not increase, or lay before the start of the file."""
        self._trust = _Trust()
        self._order = _Order()
        self._last: int | None = None
        self._length = 1

    @property
    def mixed_up(self) -> bool:
        """Whether frames were shown in another order than that of the times of their packets."""
        return self._order.mixed_up

    @property
    def reordered(self) -> bool:
        """Whether frames are decoded in another order than they are shown in."""
        return self._order.mixed_up or not self._order.decoded_as_shown

    def sent(self, packet: Packet[Stream]) -> None:
        """Note a packet, before the decoder gets it."""
        self._order.sent(packet)

    def retime(self, frame: VideoFrame) -> None:
        """Set the time of the next frame that came out of the decoder."""
        when = self._order.shown(frame, self._trust.better(frame.pts, frame.dts))
        if when is None:
            when = 0 if self._last is None else self._last + self._length
        earliest = 0 if self._last is None else self._last + 1
        if when < earliest:
            self.moved += 1
            when = earliest
        if self._last is not None:
            self._length = when - self._last
        else:
            self._length = frame_duration(frame) or 1
        self._last = frame.pts = when


class _Trust:
    """Finds out which of a frame's two times has been the better one: FFmpeg's guess_correct_pts
    (libavcodec/decode.c).
    """

    def __init__(self) -> None:
        self._pts: int | None = None
        self._dts: int | None = None
        self._bad_pts = self._bad_dts = 0

    def better(self, pts: int | None, dts: int | None) -> int | None:
        """Return the time of a frame's packet, or when a packet had to be decoded for the frame to come out."""
        if dts is not None:
            self._bad_dts += self._dts is not None and dts <= self._dts
            self._dts = dts
        elif pts is not None:
            self._dts = pts
        if pts is not None:
            self._bad_pts += self._pts is not None and pts <= self._pts
            self._pts = pts
        elif dts is not None:
            self._pts = dts
        return pts if pts is not None and (self._bad_pts <= self._bad_dts or dts is None) else dts


class _Order:
    """Notices where the times of packets rise as they are decoded although frames are shown in another order.

    The times are right then but for their order, so the frame that is shown next has the smallest of them. FFmpeg's
    program would take the decoding times, but only from the first frame on whose time falls.
    """

    def __init__(self) -> None:
        self._pending: list[int] = []
        self._highest: int | None = None
        self.decoded_as_shown = True
        self.mixed_up = False

    def sent(self, packet: Packet[Stream]) -> None:
        """Note the time of a packet."""
        if packet.pts is None or not self.decoded_as_shown:
            return
        if self._highest is not None and packet.pts < self._highest:
            self.decoded_as_shown = False  # as it should be where frames are reordered
            self._pending.clear()
            return
        self._highest = packet.pts
        if not packet.is_discard:
            heappush(self._pending, packet.pts)
        if len(self._pending) > _MAX_REORDERED:
            heappop(self._pending)

    def shown(self, frame: VideoFrame, otherwise: int | None) -> int | None:
        """Return the time of the next frame; it is `otherwise`, unless times are mixed up."""
        if not self.decoded_as_shown or frame.pts is None or not self._pending:
            return otherwise
        if not self.mixed_up and frame.pts > self._pending[0] and int(frame.pict_type) == _B_FRAME:
            self.mixed_up = True
        if self.mixed_up:
            return heappop(self._pending)
        self._pending = [when for when in self._pending if when > frame.pts]  # the frames of smaller ones were lost
        heapify(self._pending)
        return otherwise
