"""The frames of a part of a video, found by seeking and proved by the table of the video's pictures."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType

from .frame import Decoded, Frame
from .frame_table import FrameTable
from .info import VideoInfo
from .part import Part, part_clock, read_part, read_part_table
from .probe import probe
from .read import Source


class PartSource(Source):
    """A source of which the frames are those of a part of a video, with times of its own."""

    def __init__(self, info: VideoInfo, part: Part, whole: Source, pictures: FrameTable) -> None:
        """`info` is that of the part, `whole` the video that it is a part of, and `pictures` all that it has before
        the end of the part."""
        super().__init__(info)
        self._part, self._whole, self._pictures = part, whole, pictures
        self._unit, self._ticks = part_clock(part, pictures)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._whole.__exit__(kind, error, trace)

    def _from_start(self) -> Generator[Decoded, None, None]:
        return self._placed(0)

    def _proved(self, first: int, table: FrameTable) -> Generator[Decoded, None, None]:
        """Yield the pictures from `first` on; each of them was proved by the table of the video."""
        for number, decoded in enumerate(self._placed(first), start=first):
            if decoded.checksum() != table.checksums[number] and table.is_sound(number):
                raise self._changed(number)
            yield decoded

    def _placed(self, first: int) -> Generator[Decoded, None, None]:
        """Yield the pictures from number `first` of the part on, at their times in the part."""
        begin, end = self._part.start + first, self._part.stop
        with closing(self._whole.pictures_from(begin, self._pictures)) as pictures:
            for number, decoded in enumerate(islice(pictures, end - begin), start=first):
                yield self._moved(decoded, self._ticks[number], self._ticks[number + 1], begin - first + number)

    def _moved(self, decoded: Decoded, start: int, end: int, number: int) -> Decoded:
        """Return a picture, number `number` of the video, that is shown from `start` to `end`."""
        unit, length = self._unit, end - start

        def frame() -> Frame:
            return replace(decoded.frame(), pts=start, time_base=unit, duration=length)

        return decoded._replace(
            pts=start, duration=length, time_base=unit, frame=frame, is_sound=self._pictures.is_sound(number)
        )


def open_part(info: VideoInfo) -> PartSource:
    """Open the part that `probe` described. Raises VFEError where it or its video cannot be read any more."""
    part = read_part(info.path)
    return PartSource(info, part, Source(probe(Path(part.source))), read_part_table(info.path, part))
