"""What every layer shares: the callbacks of long work, the shape of a video, and the errors that a user can mend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

Progress = Callable[[int, "int | None"], None]
"""Called with (frames done, total frames or None if unknown). It may raise, `Cancelled` for one, to stop the work."""

Notify = Callable[[str], None]
"""Gets one line of text for a person."""

CheckCancelled = Callable[[], None]
"""Called between the stages of a window and within them; what it raises, `Cancelled` for one, stops the work."""


def no_progress(done: int, total: int | None) -> None:
    """A `Progress` that does nothing."""


def never_cancelled() -> None:
    """A `CheckCancelled` that lets the work go on."""


@dataclass(frozen=True)
class TimeSpan:
    """A span of the time of a clip, in seconds from its first frame; ValueError where there is none."""

    start: float = 0.0
    end: float | None = None
    """The frames that begin from here on are no longer of it; None is the end of the clip."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < math.inf:
            raise ValueError(f"a span begins at {self.start:g} s, needed is 0 or more")
        if self.end is not None and not self.start < self.end < math.inf:
            raise ValueError(f"a span goes from {self.start:g} to {self.end:g} s, needed is an end after its start")


class Remedy(Enum):
    """A way out of a `VFEError` for which the command and ComfyUI's nodes have different means."""

    SEE_FACES = auto()
    """Look up the numbers of the faces."""
    RESTORE_WHOLE_FRAMES = auto()
    """Restore whole frames instead of faces alone."""
    SHRINK_FRAMES = auto()
    """Restore smaller frames, or free memory."""
    GET_VAE = auto()
    """Put Wan2.1's VAE where it is looked for."""
    GET_PROMPT_EMBEDDING = auto()
    """Put a prompt embedding where it is looked for."""
    CHOOSE_VAE = auto()
    """Say which of several VAEs is meant."""
    CHOOSE_PROMPT_EMBEDDING = auto()
    """Say which prompt embedding is meant."""
    CHOOSE_ADAPTER = auto()
    """Name a file that is an adapter."""
    TAKE_FEWER_STEPS = auto()
    """Let the last blocks of a model take no more steps than it was trained for."""
    REPLACE_OUTPUT = auto()
    """Allow that what exists is replaced, or choose another name."""


class VFEError(ValueError):
    """An error that the user can mend. Its message is one line: what was got, what is needed and what to do.

    Where the front ends have different means, `remedy` tells what to do; the message says it as the command does, and
    `fact` is the message without it.
    """

    def __init__(self, fact: str = "", remedy: Remedy | None = None, command: str = "") -> None:
        super().__init__(f"{fact}; {command}" if command else fact)
        self.fact, self.remedy = fact, remedy


class Cancelled(Exception):
    """Raised by a progress callback to stop a restoration between stages or windows."""


FRAMES_PER_LATENT = 4
"""Frames of a latent frame in all models here. The first frame of a clip has a latent frame of its own."""


def padded_frames(frames: int, per_latent: int = FRAMES_PER_LATENT) -> int:
    """The least number of frames, 4n+1, that makes whole latent frames and is not below `frames`.

    >>> [padded_frames(frames) for frames in (1, 2, 5, 6)]
    [1, 5, 5, 9]
    """
    return -(-(frames - 1) // per_latent) * per_latent + 1


def whole_frames(frames: int, per_latent: int = FRAMES_PER_LATENT) -> int:
    """The greatest number of frames, 4n+1, that makes whole latent frames and is not above `frames`.

    >>> [whole_frames(frames) for frames in (1, 4, 5, 6)]
    [1, 1, 5, 5]
    """
    return (frames - 1) // per_latent * per_latent + 1


@dataclass(frozen=True, order=True)
class Stretch:
    """The consecutive frames `start` to `stop` - 1 of a clip. Raises ValueError where there are none."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"a stretch from frame {self.start} to before {self.stop}, needed is at least one frame")

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, frame: int) -> bool:
        return self.start <= frame < self.stop


class VideoShape(NamedTuple):
    """Frames, height and width of a video in pixels, or of its latents or tokens."""

    frames: int
    height: int
    width: int

    def padded(self, multiple: int, per_latent: int = FRAMES_PER_LATENT) -> VideoShape:
        """The least shape of 4n+1 frames and sides that are multiples of `multiple` into which this one fits."""
        height, width = (-(-side // multiple) * multiple for side in (self.height, self.width))
        return VideoShape(padded_frames(self.frames, per_latent), height, width)

    def to_latent(self, space: int, per_latent: int = FRAMES_PER_LATENT) -> VideoShape:
        """The latents of a padded clip: 4n+1 frames give n+1, and `space` x `space` pixels one.

        >>> VideoShape(81, 480, 832).to_latent(8)
        VideoShape(frames=21, height=60, width=104)
        """
        return VideoShape((self.frames - 1) // per_latent + 1, self.height // space, self.width // space)

    def from_latent(self, space: int, per_latent: int = FRAMES_PER_LATENT) -> VideoShape:
        """The padded clip that has these latents: the inverse of `to_latent`."""
        return VideoShape((self.frames - 1) * per_latent + 1, self.height * space, self.width * space)
