"""What is restored in one run of `vfe`, and where its result goes.

A run writes into a hidden folder beside its result, which is moved to its place when it is whole: whatever happens, no
half of a result is taken for one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .command import SUFFIXES, Options, images_command, video_command
from .results import Clip, Result, find_results, free_path, images_name, result_name, write_record
from .timing import Frames, Timing


class JobError(Exception):
    """A reason in one sentence why a run gives no result."""


class Job(Protocol):
    """Something that is restored in one run."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def folder(self) -> Path:
        """The folder of the result."""

    def command(self, start: Sequence[str], work: Path) -> list[str]:
        """Prepare the folder `work` and return the command of the run. Raises OSError."""

    def keep(self, work: Path) -> Result:
        """Move the result from the folder `work` to its place. Raises OSError and JobError."""


@dataclass(frozen=True)
class VideoJob:
    """Frames of a video."""

    clip: Clip
    frames: Frames
    rate: float
    """The frames per second of the video."""
    options: Options
    folder: Path

    @property
    def title(self) -> str:
        return Path(self.clip.path).name

    def command(self, start: Sequence[str], work: Path) -> list[str]:
        made = video_command(start, Path(self.clip.path), work / f"result{self._suffix}", self.frames, self.rate)
        return [*made, *self.options.video_arguments(), *self.options.run_arguments()]

    def keep(self, work: Path) -> Result:
        _check_unchanged(self.clip)
        arguments = self.options.video_arguments()
        name = result_name(self.clip, arguments, self.frames, self._suffix)
        result = Result(free_path(self.folder / name), self.frames)
        (work / f"result{self._suffix}").replace(result.path)
        write_record(result, self.clip, arguments)
        return result

    def found(self, timing: Timing) -> Result | None:
        """Return a result of an earlier run that can take the place of a strip's file, if there is one."""
        results = find_results(self.folder, self.clip, self.options.video_arguments())
        return next((result for result in results if timing.fits(result.frames)), None)

    @property
    def _suffix(self) -> str:
        return SUFFIXES[self.options.codec]


@dataclass(frozen=True)
class ImagesJob:
    """Images that are the frames of one clip, or one image. Their results are PNGs."""

    images: tuple[Clip, ...]
    options: Options
    folder: Path

    @property
    def title(self) -> str:
        return Path(self.images[0].path).name

    def command(self, start: Sequence[str], work: Path) -> list[str]:
        given = work / "images"
        given.mkdir()
        for number, image in enumerate(self.images):
            _link(Path(image.path), given / f"{number:06d}{Path(image.path).suffix}")
        made = images_command(start, given, work / "result")
        return [*made, *self.options.arguments(), *self.options.run_arguments()]

    def keep(self, work: Path) -> Result:
        for image in self.images:
            _check_unchanged(image)
        made = sorted((work / "result").iterdir())
        if len(made) != len(self.images):
            raise JobError(f"{self.title}: {len(made)} of {len(self.images)} images were restored")
        for number, path in enumerate(made):
            path.rename(path.with_name(f"{number:06d}.png"))
        if not self._place.is_dir():
            (work / "result").replace(self._place)
        return Result(self._place, Frames(0, len(self.images)))

    def found(self) -> Result | None:
        """Return the result of an earlier run, if there is one."""
        return Result(self._place, Frames(0, len(self.images))) if self._place.is_dir() else None

    @property
    def _place(self) -> Path:
        return self.folder / images_name(self.images, self.options.arguments())


def _check_unchanged(clip: Clip) -> None:
    """Raise JobError where a file is no longer what it was when it was put into the queue."""
    if Clip.of(Path(clip.path)) != clip:
        raise JobError(f"{Path(clip.path).name} was changed while it was restored; restore it again")


def _link(source: Path, target: Path) -> None:
    """Make a file appear under another name, without a copy where the disk can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
