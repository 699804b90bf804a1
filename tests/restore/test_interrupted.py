"""Ctrl-C at any line of the code that opens, writes and closes a file."""

from __future__ import annotations

import contextlib
import sys
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.support.cli_run import BrightenPipeline
from tests.support.clips import Clip, write_clip
from vfe.restore import ends, restorer
from vfe.video import imagesink, videosink

OPENING_FILES = {module.__file__ for module in (ends, restorer, videosink, imagesink)}
STACK_METHODS = {"enter_context", "push", "callback", "pop_all"}
CLEANING_UP = {"_discard", "__exit__"}
"""What a second Ctrl-C does not interrupt, as the command does not listen to it."""


class _InterruptsAt:
    """Raises KeyboardInterrupt where Python begins, or leaves after, the line of this number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ANN401 - as sys.settrace has it
        del arg
        if not _counts(frame):
            return None
        if event in {"line", "return"}:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def _counts(frame: FrameType) -> bool:
    """Whether a function is one of those files, or what they call to have an end closed later."""
    code = frame.f_code
    if code.co_filename == contextlib.__file__ and code.co_name in STACK_METHODS:
        return frame.f_back is not None and frame.f_back.f_code.co_filename in OPENING_FILES
    return code.co_filename in OPENING_FILES and code.co_name not in CLEANING_UP


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.mkv", "frames", "out.png"])
def test_no_file_is_left_wherever_it_was_interrupted(name: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Clip(frames=1 if name == "out.png" else 2))
    for number in count(1):
        interrupt = _InterruptsAt(number)
        sys.settrace(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                restorer.Restorer(BrightenPipeline()).restore_file(source, tmp_path / name)
        finally:
            sys.settrace(None)
        left = {path.name for path in tmp_path.iterdir()}
        if name in left:  # it was done: the interruption came too late
            assert number > 50
            return
        assert left == {"in.mkv"}, number
