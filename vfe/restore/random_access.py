"""Restored frames of a clip in any order: those that were restored are kept, and to read on costs what one pass costs.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

from torch import Tensor

from ..options import RestoreOptions
from ..pipeline.windows import ClipPart, WindowGrid
from ..types import Progress, Stretch, no_progress
from ..video.frame import Frame
from .in_turn import InTurn, part_in_turn
from .passage import Passage
from .picture import InMemory
from .restorer import Restorer
from .work import Work, decide_work, windowed

READ_ON = 3
"""The most windows that are restored to get on from where reading stands: our own choice. To begin anew takes two at
most, but those who read by several threads at once skip frames that they are about to ask for."""


@dataclass(frozen=True)
class ReadableClip:
    """A clip of which any frame can be read."""

    info: InMemory
    read: Callable[[int], Tensor]
    """Gives a frame, (3, H, W) float32 in [-1, 1], by its number from 0."""


class RestoredFrames:
    """The frames of a clip, to the bit as `Restorer.restore_file` gives them, whatever the order they are asked in.

    Any thread may ask. Work is done when a frame is asked for: the first one waits for the search for faces, which
    reads the whole clip, where anything depends on faces.
    """

    def __init__(
        self,
        restorer: Restorer,
        clip: ReadableClip,
        options: RestoreOptions,
        kept_bytes: int,
        on_search: Progress | None = None,
    ) -> None:
        """`kept_bytes` bounds the restored frames that are kept, but those of two windows always are.

        `on_search` gets the frames in which faces were looked for. Threads that share a restorer use it in turn. Raises
        ValueError for a pipeline that cannot restore single windows.
        """
        self.clip = clip
        self.options = options
        self.size = options.output_size(clip.info.width, clip.info.height)
        self._restorer = restorer
        self._pipeline = InTurn(windowed(restorer.pipeline), restorer.turn)
        self._on_search = on_search or no_progress
        width, height = self.size
        self._grid = WindowGrid(self._pipeline.window_for(height, width), clip.info.frames)
        self._most = max(kept_bytes // (width * height * 3 * 4), 2 * self._grid.step)
        self._kept: OrderedDict[int, Tensor] = OrderedDict()  # by number; the one that was restored last is the last
        self._reading: _Reading | None = None
        self._work: Work | None = None
        self._lock = Lock()

    def frame(self, number: int) -> Tensor:
        """Return a restored frame, at the size of the output. Raises VFEError as `restore_file` does."""
        with self._lock:
            if number not in self._kept:
                self._restore(number)
            return self._kept[number]

    @property
    def keeps_pixels(self) -> bool:
        """Whether frames keep most of their pixels; known when the first frame was asked for."""
        return self._work is not None and self._work.is_partial

    def _restore(self, number: int) -> None:
        """Restore a frame, and those that come out of the same windows, and keep them."""
        reading = self._reading
        self._reading = None  # one that fails cannot be read on
        if reading is None or not self._is_near(reading, number):
            reading = self._read_from(number)
        stop = min((number // self._grid.step + 1) * self._grid.step, self.clip.info.frames)
        while reading.next < stop:
            self._keep(reading.next, next(reading.restored))
            reading.next += 1
        self._reading = reading

    def _is_near(self, reading: _Reading, number: int) -> bool:
        return reading.next <= number and number // self._grid.step - reading.next // self._grid.step < READ_ON

    def _read_from(self, number: int) -> _Reading:
        """Begin at the first frame that the last window before `number` gives without the one before it."""
        step, overlap = self._grid.step, self._grid.config.overlap
        window = max(0, number - overlap) // step
        start = window * step + overlap if window else 0  # the first window gives all of its frames
        work, frames = self._decided(), self.clip.info.frames
        part = ClipPart(Stretch(start, frames), frames)
        needed = work.restoration.needed(part)
        source = (Frame(self.clip.read(index)) for index in range(needed.start, needed.stop))
        passage = Passage(work, self.size, part)
        return _Reading(start, (pixels for _, pixels in passage.of(source, no_progress)))

    def _decided(self) -> Work:
        if self._work is None:
            frames = (Frame(self.clip.read(index)) for index in range(self.clip.info.frames))
            plan = self._restorer.plan(self.clip.info, frames, self.options, self._on_search)
            part = part_in_turn(self._restorer.face_part, self._restorer.turn)
            self._work = decide_work(self._pipeline, part, plan, self.options, self.size)
        return self._work

    def _keep(self, number: int, pixels: Tensor) -> None:
        # A view would keep the whole window in memory.
        self._kept[number] = pixels.clone() if pixels.untyped_storage().nbytes() > pixels.nbytes else pixels
        self._kept.move_to_end(number)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


@dataclass
class _Reading:
    """A pass over the rest of a clip, and the number of the frame that it gives next."""

    next: int
    restored: Iterator[Tensor]
