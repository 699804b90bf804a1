"""What every output of a live run is."""

from __future__ import annotations

from typing import Protocol

from ..frame import ShownFrame


class Output(Protocol):
    """Takes the frames of a run when they are due. It never makes the run wait."""

    @property
    def where(self) -> str:
        """What people do to see it: an address, or the name of a camera."""

    @property
    def skipped(self) -> int:
        """How many frames were not sent because a newer one came first."""

    def show(self, shown: ShownFrame) -> None:
        """Take a frame; one that is not sent yet is given up for it. Raises VFEError where the output has ended."""

    def close(self) -> None:
        """Let go of everything; what was shown last is sent before."""
