"""Values shared by every layer: shapes, the progress callback, and the errors a user can mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Progress = Callable[[int, "int | None"], None]
"""Called with (frames done, total frames or None if unknown). It may raise, `Cancelled` for one, to stop the work."""

Tell = Callable[[str], None]
"""Gets one line for a person."""

Check = Callable[[], None]
"""Called between stages and parts of them; what it raises, `Cancelled` for one, stops the work."""


def no_check() -> None:
    """A `Check` that never stops anything."""


class VFEError(ValueError):
    """Something the user can mend: the message is one line that says what was got, what is needed and what to do."""


class Cancelled(Exception):
    """Raised by a progress callback to stop a restoration between stages or windows."""


class VideoShape(NamedTuple):
    """Size of a video in frames and pixels, or of its latent grid."""

    frames: int
    height: int
    width: int
