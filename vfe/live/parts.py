"""What a live run is made of, as far as it needs to know."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from .frame import LiveFrame, RawFrame, ShownFrame
from .group import LiveGroup


class FrameSource(Protocol):
    """Gives frames as they are filmed, to one thread."""

    stopped: threading.Event
    """Set to end it, from any thread."""

    def frames(self) -> Iterator[RawFrame]:
        """Yield frames until the source ends or is stopped. Raises VFEError where it breaks off."""

    def close(self) -> None:
        """Let go of it, when nobody reads any more."""


class FrameFollower(Protocol):
    """Knows the faces on frames that are pushed."""

    def push(self, frame: LiveFrame) -> LiveGroup:
        """Take a frame; return it and those before it, GROUP at most, and the faces on them."""


class FaceRestorer(Protocol):
    """Restores the faces of groups of frames, one group at a time."""

    seconds: float
    """How long the last group took."""

    def warm_up(self) -> None:
        """Do what makes the first group take no longer than the others."""

    def restore(self, group: LiveGroup) -> list[ShownFrame]:
        """Return the frames of a group, restored."""
