"""What is to be done for each of the strips that somebody selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from .command import Options
from .jobs import ImagesJob, VideoJob
from .results import Result
from .strips import (
    RESULT,
    StripError,
    check,
    clip_of,
    image_paths,
    image_timing,
    result_path,
    strips_beside,
    strips_of,
    video_path,
    video_timing,
)
from .timing import Frames, Play, Timing


@dataclass(frozen=True)
class Wish:
    """A strip, by its name, and the job that gives its result."""

    name: str
    timing: Timing
    job: VideoJob | ImagesJob
    found: Result | None
    """The result of an earlier run, which is taken without another."""


@dataclass(frozen=True)
class Place:
    """Where results go, and how many frames at both ends of what a strip shows are restored too."""

    folder: Path
    handles: int


def wish_of(scene: bpy.types.Scene, strip: bpy.types.Strip, options: Options, place: Place) -> Wish:
    """Return what is to be done for a strip. Raises StripError where it cannot be restored."""
    strips = strips_of(scene)
    check(strip, strips)
    is_video = strip.type == "MOVIE"
    wish = _wish_of_video(scene, strip, options, place) if is_video else _wish_of_images(strip, options, place)
    for other in strips_beside(strips, strip):
        is_made_of_it = other.get(RESULT) == strip.name and other.type == strip.type
        if is_made_of_it and wish.found is not None and result_path(other) == wish.found.path:
            raise StripError(f"{strip.name} is restored already, on channel {other.channel}")
    return wish


def _wish_of_video(scene: bpy.types.Scene, strip: bpy.types.Strip, options: Options, place: Place) -> Wish:
    timing = video_timing(scene, strip)
    clip = clip_of(strip, video_path(strip))
    job = VideoJob(clip, timing.needed(place.handles), strip.fps, options, place.folder)
    return Wish(strip.name, timing, job, job.found(timing))


def _wish_of_images(strip: bpy.types.Strip, options: Options, place: Place) -> Wish:
    timing = image_timing(strip)
    paths = image_paths(strip)
    frames = images_shown(timing, len(paths), place.handles)
    images = tuple(clip_of(strip, path) for path in paths[frames.first : frames.stop])
    job = ImagesJob(images, options, place.folder)
    return Wish(strip.name, timing, job, job.found())


def images_shown(timing: Timing, count: int, handles: int) -> Frames:
    """Return which of `count` images of a strip are restored."""
    if timing.play is Play.RETIMED:
        return Frames(0, count)
    shown = timing.needed(handles)
    return Frames(shown.first, count if shown.stop is None else min(count, shown.stop))


def joined_jobs(wishes: Sequence[Wish]) -> list[Wish]:
    """Return the wishes with jobs that are fewer where they can be: one for frames of a video that overlap."""
    joined: list[Wish] = []
    for wish in sorted(wishes, key=_first_frame):
        at = next((index for index, other in enumerate(joined) if _can_share(other, wish)), None)
        if at is None:
            joined.append(wish)
            continue
        mine, theirs = wish.job, joined[at].job
        assert isinstance(mine, VideoJob) and isinstance(theirs, VideoJob)
        shared = replace(theirs, frames=theirs.frames.with_other(mine.frames))
        joined = [replace(other, job=shared) if other.job == theirs else other for other in joined]
        joined.append(replace(wish, job=shared))
    return joined


def _can_share(one: Wish, other: Wish) -> bool:
    """Return whether the strips of both are served by one job for the frames of both, which overlap or touch."""
    if not (isinstance(one.job, VideoJob) and isinstance(other.job, VideoJob)) or one.found or other.found:
        return False
    if replace(one.job, frames=other.job.frames) != other.job:
        return False
    first, second = sorted((one.job.frames, other.job.frames), key=lambda frames: frames.first)
    both = first.with_other(second)
    touch = first.stop is None or second.first <= first.stop
    return touch and one.timing.fits(both) and other.timing.fits(both)


def _first_frame(wish: Wish) -> int:
    return wish.job.frames.first if isinstance(wish.job, VideoJob) else 0
