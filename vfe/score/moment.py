"""One moment of a clip that is scored: its frame, the clean one beside it, and those before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .faces import SeenFace
from .picture import Picture, Step


@dataclass
class Truth:
    """What a frame is compared with, the same for all clips that are scored side by side."""

    clean: Picture | None
    """The frame of the reference; None without one."""
    clean_step: Step | None
    """The frames of the reference before and now; None without one, or on the first frame."""
    flow_step: Step | None
    """The frames whose flow the warping error goes by: of the reference, else of the input; None without either."""
    find_face: Callable[[], SeenFace | None]

    @cached_property
    def face(self) -> SeenFace | None:
        """The main face of the reference."""
        return self.find_face()


@dataclass
class Moment:
    """One frame of the scored clip and what it is compared with."""

    number: int
    shown: Picture
    shown_step: Step | None
    """The frames of the scored clip before and now; None on its first frame."""
    truth: Truth
    find_face: Callable[[], SeenFace | None]

    @property
    def clean(self) -> Picture | None:
        """The frame of the reference."""
        return self.truth.clean

    @cached_property
    def face(self) -> SeenFace | None:
        """The main face of the scored clip: with a reference, where the reference has its main face."""
        return self.find_face()
