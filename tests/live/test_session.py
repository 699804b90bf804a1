"""The laws of a live run: in order, bounded, every frame accounted for, and an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.live_parts import SECONDS, Brightener, CountingSource, NoFaces, Recorder
from vfe.live.frame import RawFrame, ShownFrame
from vfe.live.meter import Meter
from vfe.live.session import LiveSession
from vfe.types import VFEError

MOST_HELD = 1 + 1 + 4 + 4 + 4 + 4 + 1
"""One read, one being followed; four each to be restored, being restored, waiting and being shown; one shown."""


def run(session: LiveSession, every: float = 0.01) -> None:
    """To the end, which comes."""
    runner = threading.Timer(SECONDS, session.stop)
    runner.start()
    try:
        session.run(lambda: None, every)
    finally:
        runner.cancel()
        assert session.source.stopped.is_set()


class LingeringSource(CountingSource):
    """Ends a while after its last frame: at the end all that is left is let out at once."""

    def frames(self) -> Iterator[RawFrame]:
        """Yield the frames."""
        yield from super().frames()
        self.stopped.wait(3)


class TimedRecorder(Recorder):
    """Remembers when frames were shown."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def show(self, shown: ShownFrame) -> None:
        """Take a frame."""
        super().show(shown)
        self.times.append(time.monotonic())


def test_what_keeps_up_loses_nothing() -> None:
    source = CountingSource(18, wait=lambda: time.sleep(0.02))
    output, restorer, meter = Recorder(), Brightener(), Meter()
    run(LiveSession(source, NoFaces(), restorer, [output], meter))
    figures = meter.figures()
    assert figures.frames_in == 18
    assert figures.frames_out + figures.frames_dropped == 18
    assert output.numbers == sorted(set(output.numbers))
    assert source.is_closed


def test_what_is_slow_gets_the_newest_and_the_rest_is_counted() -> None:
    output, meter = Recorder(), Meter()
    source = CountingSource(400, wait=lambda: time.sleep(0.001))
    slow = Brightener(wait=lambda: source.wait_for_more(20))
    run(LiveSession(source, NoFaces(), slow, [output], meter))
    figures = meter.figures()
    assert figures.frames_dropped > 200
    assert figures.frames_out == len(output.numbers)
    assert figures.frames_out + figures.frames_dropped == figures.frames_in == 400
    assert output.numbers == sorted(set(output.numbers))
    assert output.numbers[-1] == 399, "the last frames come out"


def test_the_run_never_holds_more_than_a_few_frames() -> None:
    meter, held = Meter(), []

    def note() -> None:
        figures = meter.figures()
        held.append(figures.frames_in - figures.frames_out - figures.frames_dropped)

    def wait() -> None:
        time.sleep(0.001)
        note()

    source = CountingSource(300, wait)
    slow = Brightener(wait=lambda: source.wait_for_more(20))
    run(LiveSession(source, NoFaces(), slow, [Recorder()], meter))
    assert max(held) <= MOST_HELD
    assert max(held) > 3, "the law was tried"


def test_groups_are_whole_but_for_the_last() -> None:
    restorer = Brightener(wait=lambda: time.sleep(0.01))
    source = CountingSource(60, wait=lambda: time.sleep(0.002))
    run(LiveSession(source, NoFaces(), restorer, [Recorder()], Meter()))
    assert {len(numbers) for numbers in restorer.groups[:-1]} == {4}


def test_an_input_that_breaks_off_ends_the_run_with_its_line() -> None:
    output = Recorder()
    source = CountingSource(8, wait=lambda: time.sleep(0.01), error="camera: has ended")
    with pytest.raises(VFEError, match="camera: has ended"):
        run(LiveSession(source, NoFaces(), Brightener(), [output], Meter()))
    assert output.numbers, "what came before is shown"


def test_an_output_that_fails_ends_the_run_with_its_line() -> None:
    source = CountingSource(100_000, wait=lambda: time.sleep(0.001))
    with pytest.raises(VFEError, match="nobody there"):
        run(LiveSession(source, NoFaces(), Brightener(), [Recorder("nobody there")], Meter()))
    assert source.is_closed


def test_it_can_be_stopped() -> None:
    source, output = CountingSource(100_000, wait=lambda: time.sleep(0.001)), Recorder()
    session = LiveSession(source, NoFaces(), Brightener(), [output], Meter())

    def tell() -> None:
        if output.numbers:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.run(tell, 0.01)
    assert source.is_closed


def test_frames_are_shown_as_far_apart_as_they_were_filmed() -> None:
    """A group comes out of the model all at once; its frames do not reach the screen so."""
    output = TimedRecorder()
    source = LingeringSource(4, wait=lambda: time.sleep(0.2))
    run(LiveSession(source, NoFaces(), Brightener(), [output], Meter()))
    assert len(output.times) == 4
    assert output.times[-1] - output.times[0] > 0.3
