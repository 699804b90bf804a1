"""Shots are divided into stretches that become clips."""

from __future__ import annotations

from ..types import Stretch, whole_frames
from .config import ClipConfig


def stretches_of(start: int, stop: int, config: ClipConfig) -> list[Stretch]:
    """Return the stretches of a shot of frames `start` to `stop` - 1: of 4n+1 frames, one after another.

    There are as few as may be, and they are about equally long, so that little is left out at the end. A shot that is
    too short has none.
    """
    frames = stop - start
    if frames < config.least_frames:
        return []
    count = -(-frames // config.most_frames)
    length = whole_frames(frames // count)
    if length < config.least_frames:  # as many of the least length as fit
        count, length = frames // config.least_frames, config.least_frames
    return [Stretch(start + index * length, start + (index + 1) * length) for index in range(count)]
