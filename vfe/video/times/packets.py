"""The packets of a file in its order, with repaired times; a damaged part does not end them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from ..errors import MEDIA_ERRORS
from .timeline import Timeline

_MAX_FAILURES = 20  # errors of the demuxer in a row after which it is taken to be at the end


class MendedPackets:
    """Reads all streams of a file that are used, for the times of one depend on those of the others."""

    def __init__(self, container: InputContainer, used: list[Stream], failed: Callable[[BaseException], None]) -> None:
        self.timeline = Timeline(container, used)
        self._container, self._used, self._failed = container, used, failed

    def __iter__(self) -> Iterator[Packet[Stream]]:
        """Yield the packets that hold something. Errors of the demuxer are told to `failed`."""
        packets, failures = self._container.demux(*self._used), 0
        while failures < _MAX_FAILURES:
            try:
                packet = next(packets, None)
            except MEDIA_ERRORS as error:
                self._failed(error)
                failures += 1
                packets = self._container.demux(*self._used)  # a damaged part may end
                continue
            except IndexError:  # PyAV's at the end of files in which further streams turned up
                return
            if packet is None:
                return
            failures = 0
            if packet.size:
                self.timeline.mend(packet)
                yield packet
