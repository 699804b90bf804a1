"""The windows that a user asks for, made such as models take."""

from __future__ import annotations

from typing import NamedTuple

from ..options import WINDOWS
from ..types import FRAMES_PER_LATENT, padded_frames, whole_frames
from .windows import WindowConfig


class ChosenWindow(NamedTuple):
    """A window, and what to tell the user who asked for another one."""

    config: WindowConfig | None
    """None takes the window that suits the model and the memory."""
    note: str = ""
    """One line, empty where nothing was rounded."""


def choose_window(frames: int | None, overlap: int | None, least: int = WINDOWS.least) -> ChosenWindow:
    """Return windows of at least `frames` frames that share at least `overlap`, each rounded up to the next 4n+1.

    Models count time in groups of four frames after the first; rounding spares users to do so. It is our own choice,
    as is that an overlap which rounding would make more than half of the window is rounded down. No frames are lost:
    the windows of a clip cover it whatever their length. None leaves a number to choose here: an overlap of about a
    quarter of the window, or the default window where an overlap alone is given. An overlap of 0 stays 0.

    `least` is the fewest frames that the windows may have. Raises ValueError for a window out of its range, and for an
    overlap below 0 or above half of the window.
    """
    if frames is None and overlap is None:
        return ChosenWindow(None)
    asked = WindowConfig().frames if frames is None else frames
    if asked not in WINDOWS:
        raise ValueError(f"window is {asked} frames, needed from {WINDOWS.least} to {WINDOWS.most}")
    length = max(padded_frames(asked), least)
    if overlap is None:
        config = WindowConfig.of(length)
    elif not 0 <= 2 * overlap <= length:
        raise ValueError(f"overlap is {overlap}, needed from 0 to {length // 2} frames, half the window of {length}")
    else:
        config = WindowConfig(length, _shared(overlap, length))
    return ChosenWindow(config, _note(config, asked, overlap))


def _shared(overlap: int, length: int) -> int:
    """Return the 4k+1 frames nearest above `overlap`, or below it where those are more than half of the window."""
    if overlap == 0:
        return 0
    raised = padded_frames(overlap)
    return raised if 2 * raised <= length else whole_frames(overlap)


def _note(config: WindowConfig, frames: int, overlap: int | None) -> str:
    rounded = [f"windows of {config.frames} frames in place of {frames}"] if config.frames != frames else []
    if overlap is not None and overlap != config.overlap:
        rounded.append(f"an overlap of {config.overlap} in place of {overlap}")
    groups = f"models count 1 frame and then groups of {FRAMES_PER_LATENT}"
    return f"{' and '.join(rounded)}: {groups}" if rounded else ""
