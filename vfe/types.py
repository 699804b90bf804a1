"""Values shared by every layer: shapes, the progress callback, and the errors a user can mend."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

Progress = Callable[[int, "int | None"], None]
"""Called with (frames done, total frames or None if unknown). It may raise, `Cancelled` for one, to stop the work."""

Tell = Callable[[str], None]
"""Gets one line for a person."""

Check = Callable[[], None]
"""Called between stages and parts of them; what it raises, `Cancelled` for one, stops the work."""


def no_check() -> None:
    """A `Check` that never stops anything."""


class Remedy(Enum):
    """What to do about a `VFEError`, where the command and ComfyUI's nodes have different means for it."""

    SEE_FACES = auto()
    """Look up the numbers of the faces."""
    RESTORE_WHOLE_FRAMES = auto()
    """Not the faces alone."""
    SHRINK_FRAMES = auto()
    """Restore smaller ones, or free memory."""
    GET_VAE = auto()
    """Put Wan2.1's VAE where it is looked for."""
    GET_CONTEXT = auto()
    """Put a prompt context where it is looked for."""
    CHOOSE_VAE = auto()
    """Say which of several VAEs is meant."""
    CHOOSE_CONTEXT = auto()
    """Say which prompt context is meant."""
    CHOOSE_ADAPTER = auto()
    """Name a file that is an adapter."""
    REPLACE_OUTPUT = auto()
    """Allow that what exists is replaced, or choose another place."""


class VFEError(ValueError):
    """Something the user can mend: the message is one line that says what was got, what is needed and what to do.

    Where the front ends have different means, `remedy` tells what to do; the message says it as the command does, and
    `fact` is the message without it.
    """

    def __init__(self, fact: str = "", remedy: Remedy | None = None, command: str = "") -> None:
        super().__init__(f"{fact}; {command}" if command else fact)
        self.fact, self.remedy = fact, remedy


class Cancelled(Exception):
    """Raised by a progress callback to stop a restoration between stages or windows."""


class VideoShape(NamedTuple):
    """Size of a video in frames and pixels, or of its latent grid."""

    frames: int
    height: int
    width: int
