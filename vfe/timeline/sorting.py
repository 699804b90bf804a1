"""The clips of a timeline are sorted: those that are restored, those that stay as they are, and those without media."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from ..types import Stretch, VFEError
from ..video.files import is_image
from .clip_time import frames_of, origin_of, stretch_of
from .media import MediaFile, MediaFinder, NotForUs, describe, is_result
from .uses import ClipUse, is_on

MARK = "vfe"
"""The key of what is written into the metadata of a clip that was restored, and of its media."""


@dataclass(frozen=True)
class PlacedClip:
    """A clip whose media are restored."""

    use: ClipUse
    media: MediaFile
    origin: Fraction
    """The time of the first frame of the media by the clip's clock, in frames."""
    frames: Stretch
    """The frames of the media that it reads."""

    @property
    def reads_all(self) -> bool:
        """Whether any frame may be read, so that the result must begin where the media begin."""
        return self.use.reads is None


@dataclass(frozen=True)
class LeftAlone:
    """A clip that stays as it is, and why."""

    name: str
    track: str
    reason: str


@dataclass
class Missing:
    """Media that cannot be read, why, and of how many clips."""

    name: str
    reason: str
    clips: int = 0


@dataclass
class Sorted:
    """All clips of the video tracks of a timeline."""

    placed: list[PlacedClip] = field(default_factory=list)
    alone: list[LeftAlone] = field(default_factory=list)
    missing: dict[tuple[str, str], Missing] = field(default_factory=dict)


@dataclass
class ClipSorter:
    """Sorts clips."""

    finder: MediaFinder
    patterns: tuple[str, ...] = ()
    """Only clips are restored whose names, or those of their media, match one of these; all where there is none."""
    from_zero: bool = False
    """Whether the kind of timeline knows no timecodes of media."""
    _media: dict[Path, MediaFile | VFEError] = field(default_factory=dict)

    def sort(self, uses: Iterable[ClipUse]) -> Sorted:
        """Return all clips, each in its place."""
        result = Sorted()
        for use in uses:
            if reason := self._why_alone(use.clip):
                result.alone.append(LeftAlone(use.clip.name, use.track, reason))
                continue
            try:
                result.placed.append(self._placed(use))
            except NotForUs as error:
                result.alone.append(LeftAlone(use.clip.name, use.track, str(error)))
            except VFEError as error:
                name = _name_of_media(use.clip)
                result.missing.setdefault((name, str(error)), Missing(name, str(error))).clips += 1
        return result

    def _why_alone(self, clip: otio.schema.Clip) -> str:
        """Return why a clip stays as it is, by the timeline alone; "" where it may be restored."""
        media = clip.media_reference
        if not is_on(clip):
            return "is switched off"
        if isinstance(media, otio.schema.GeneratorReference):
            return "a generator"
        if isinstance(media, otio.schema.ImageSequenceReference):
            return "images, not a video"
        if MARK in media.metadata:
            return "restored before"
        if isinstance(media, otio.schema.MissingReference) and not (clip.name or media.name):
            return "has no media"
        name = Path(_name_of_media(clip).replace("\\", "/")).name
        if is_image(Path(name)):
            return "a still image"
        names = (clip.name.casefold(), name.casefold())
        if self.patterns and not any(fnmatchcase(n, p.casefold()) for n in names for p in self.patterns):
            return "not chosen"
        return ""

    def _placed(self, use: ClipUse) -> PlacedClip:
        """Return a clip with its media. Raises VFEError, with the reason alone, where they cannot be had."""
        reference = use.clip.media_reference
        is_named = isinstance(reference, otio.schema.ExternalReference)
        told = use.clip.metadata.get("cmx_3600")
        reel = told.get("reel") if hasattr(told, "get") else None
        names = (use.clip.name, reference.name, reel if isinstance(reel, str) else None)
        path = self.finder.find(reference.target_url if is_named else None, names)
        if is_result(path):
            raise NotForUs("restored before")
        media = self._described(path)
        if use.reads is None:
            origin = origin_of(reference.available_range, media, None, self.from_zero)
            return PlacedClip(use, media, origin, Stretch(0, media.frames))
        start = frames_of(use.reads.start_time, media.fps)
        stop = start + frames_of(use.reads.duration, media.fps)
        origin = origin_of(reference.available_range, media, start, self.from_zero)
        frames = stretch_of(start - origin, stop - origin)
        stop_here = max(frames.start + 1, min(frames.stop, media.frames))
        return PlacedClip(use, media, origin, Stretch(frames.start, stop_here))

    def _described(self, path: Path) -> MediaFile:
        known = self._media.get(path)
        if known is None:
            try:
                known = describe(path.resolve())
            except (VFEError, OSError) as error:
                known = error if isinstance(error, VFEError) else VFEError(f"cannot be read ({error.strerror})")
            self._media[path] = known
        if isinstance(known, VFEError):
            raise known
        return known


def _name_of_media(clip: otio.schema.Clip) -> str:
    """Return what the timeline calls the media of a clip."""
    reference = clip.media_reference
    url = reference.target_url if isinstance(reference, otio.schema.ExternalReference) else ""
    return url or clip.name or reference.name
