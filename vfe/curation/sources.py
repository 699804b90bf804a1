"""What is curated: videos and portraits, whole or those parts of them that a crop list names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["hq_video", "hq_image"]
Box = tuple[float, float, float, float]


class Region(NamedTuple):
    """Where a crop list says that the face is, in a frame of `size` (width, height).

    Each side of `size` may be None: then it is that of the frame as it is, or, where one is known, follows from it.
    """

    box: Box
    size: tuple[float | None, float | None]

    def within(self, width: int, height: int) -> Box:
        """Return the box xyxy in pixels of a frame of this size."""
        own_width, own_height = self.size
        down = height / own_height if own_height else width / own_width if own_width else 1.0
        across = width / own_width if own_width else down
        left, top, right, bottom = self.box
        return left * across, top * down, right * across, bottom * down


class Part(NamedTuple):
    """A part of a source, from `start` to before `stop`, which are frames or seconds."""

    start: float
    stop: float
    unit: Literal["frames", "seconds"]
    region: Region | None = None
    """Where the face is that is meant; None means the largest one."""


@dataclass(frozen=True)
class Source:
    """A file or a folder of frames."""

    path: Path
    name: str
    """The name in records and manifest, with the parts of a path joined by /."""
    kind: Kind
    parts: tuple[Part, ...] = ()
    """The parts that are meant, which do not overlap; empty for all of it."""
    person: str | None = None
    """Who it is, where a data set says so."""


class Sources(NamedTuple):
    """What was found to curate."""

    sources: tuple[Source, ...]
    unread: tuple[tuple[str, str], ...] = ()
    """What cannot be read or is missing, and why."""
    notes: tuple[str, ...] = ()
    """What a person should know, a sentence each."""
