"""What `Restorer.restore_file` hands to its output, kept in memory, and whether frames are the same to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfe.options import RestoreOptions
from vfe.restore.restorer import Restorer
from vfe.video.frame_table import picture_checksum
from vfe.video.read import Frame


class CapturingSink:
    """An output that keeps its frames."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.notes: list[str] = []

    def __enter__(self) -> CapturingSink:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)


def single_pass(
    monkeypatch: pytest.MonkeyPatch, restorer: Restorer, source: Path, options: RestoreOptions
) -> list[Frame]:
    """The frames that `restore_file` writes."""
    sink = CapturingSink()
    with monkeypatch.context() as patch:
        patch.setattr("vfe.restore.restorer.open_output", lambda *_: sink)
        restorer.restore_file(source, source.with_name("out.mkv"), options)
    return sink.frames


def assert_same_frames(got: list[Frame], expected: list[Frame]) -> None:
    """Pixels, alpha, times, names and what was stored."""
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert torch.equal(ours.pixels, theirs.pixels)
        assert _same(ours.alpha, theirs.alpha)
        assert _rest(ours) == _rest(theirs)


def _same(ours: Tensor | None, theirs: Tensor | None) -> bool:
    return ours is theirs if ours is None or theirs is None else torch.equal(ours, theirs)


def _rest(frame: Frame) -> tuple[object, ...]:
    stored = frame.stored and (picture_checksum(frame.stored.frame), frame.stored.matrix, frame.stored.color_range)
    return frame.pts, frame.duration, frame.time_base, frame.name, frame.tags, stored
