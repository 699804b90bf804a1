"""A live run: threads that hand frames on, each through a place of one.

    input -> latest frame -> faces followed -> latest frames -> a group restored -> latest restored -> shown in time

Whatever is slower than what comes before it gets the newest, and what it did not get is dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from ..types import VFEError
from .frame import RawFrame, ShownFrame
from .fresh import FreshFrames
from .group import GROUP
from .latest import Latest
from .meter import Meter
from .outputs.output import Output
from .pace import Admission
from .parts import FaceRestorer, FrameFollower, FrameSource
from .thread import Work

JOIN_SECONDS = 6.0
"""How long is waited at the end for a thread: longer than an input is waited for that gives nothing."""


class LiveSession:
    """Restores what an input gives until that ends or `stop` is called."""

    def __init__(
        self,
        source: FrameSource,
        follower: FrameFollower,
        restorer: FaceRestorer,
        outputs: Iterable[Output],
        meter: Meter,
    ) -> None:
        self.source, self.follower, self.restorer = source, follower, restorer
        self.outputs, self.meter = tuple(outputs), meter
        self._admission = Admission()
        self._frames: Latest[RawFrame] = Latest(lambda _: meter.dropped())
        self._groups = FreshFrames(meter.dropped)
        self._restored: Latest[list[ShownFrame]] = Latest(lambda shown: meter.dropped(len(shown)))
        self._ended = threading.Event()

    def run(self, tell: Callable[[], None], every: float) -> None:
        """Run to the end; `tell` is called every so many seconds, and what it raises ends the run.

        Raises what went wrong in a thread: VFEError where the input or an output stopped by itself.
        """
        self.restorer.warm_up()
        works = [
            Work(self._read, self._frames.close),
            Work(self._gather, self._groups.close),
            Work(self._restore, self._restored.close),
            Work(self._show, self._ended.set),
        ]
        self.meter.begin()
        try:
            for work in works:
                work.start()
            while not self._ended.wait(every):
                tell()
        finally:
            self.stop()
            if all([work.join(JOIN_SECONDS) for work in works]):  # else the end of the process closes the input
                self.source.close()
        for work in works:
            work.check()

    def stop(self) -> None:
        """End the run, from any thread: what was taken from the input is still shown."""
        self.source.stopped.set()

    def _read(self) -> None:
        for frame in self.source.frames():
            self.meter.came()
            self._frames.put(frame)

    def _gather(self) -> None:
        while (frame := self._frames.take()) is not None:
            if not self._admission.lets_in(frame.taken):
                self.meter.dropped()
                continue
            self._groups.put(self.follower.push(frame.developed()))

    def _restore(self) -> None:
        while (group := self._groups.take()) is not None:
            shown = self.restorer.restore(group)
            seconds = self.restorer.seconds
            self.meter.restored(len(group.faces), seconds)
            self._admission.took(seconds / GROUP)
            self._restored.put(shown)

    def _show(self) -> None:
        """Show the frames of a group as far apart as they were filmed, but none later because of the next group."""
        while (group := self._restored.take()) is not None:
            late = time.monotonic() - group[0].frame.taken
            for shown in group:
                self._restored.wait(shown.frame.taken + late - time.monotonic())
                for output in self.outputs:
                    output.show(shown)
                self.meter.went(shown.frame.taken)


def close_all(outputs: Iterable[Output]) -> None:
    """Close all outputs, also where one of them has ended by itself."""
    for output in outputs:
        with suppress(VFEError):
            output.close()
