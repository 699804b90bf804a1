"""The media of a timeline on this machine: found by name, also where the timeline comes from another, and described."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from ..batch.record import Record
from ..types import VFEError
from ..video.info import VideoInfo
from ..video.metadata import TIMECODE
from ..video.photo.animation import OWN_FORMATS
from ..video.probe import probe
from .timecode import Timecode, read_timecode
from .urls import names_in, path_text


@dataclass(frozen=True)
class MediaFile:
    """A video that clips read."""

    path: Path
    fps: Fraction
    frames: int
    """Those that the file claims."""
    timecode: Timecode | None
    """That of its first frame, where the file has one."""
    suffix: str
    """What a video that holds the same is called."""


class NotForUs(VFEError):
    """A file that is left alone, for it is no video."""


def describe(path: Path) -> MediaFile:
    """Return what a video is. Raises NotForUs for images, and VFEError for what cannot be read."""
    info = probe(path)
    if info.kind != "video" or info.container in OWN_FORMATS:
        raise NotForUs("a still image" if info.kind == "image" else "images, not a video")
    if info.frames is None or not info.frames or info.rate <= 0:
        raise VFEError(f"{path}: does not say how long it is; convert it to .mov or .mkv first")
    return MediaFile(path, info.rate, info.frames, _timecode_of(info), path.suffix.lower())


def _timecode_of(info: VideoInfo) -> Timecode | None:
    for told in (info.track_metadata, info.metadata):
        for name, value in told.items():
            if name.lower() == TIMECODE and (timecode := read_timecode(value, info.rate)) is not None:
                return timecode
    return None


def is_result(path: Path) -> bool:
    """Return whether a file was made by an earlier run, as the record in its folder says."""
    try:
        return Record(path.parent).entry(path.name) is not None
    except OSError:
        return False


@dataclass(frozen=True)
class MediaFinder:
    """Finds the files that a timeline names."""

    folder: Path
    """The folder of the timeline, from which relative names start."""
    roots: Sequence[Path] = ()
    """Folders in which media are looked for, in this order, however deep, when they are not where the timeline says."""

    def find(self, url: str | None, names: Iterable[str | None] = ()) -> Path:
        """Return the file of a URL, or else one of these names, with or without a suffix.

        Raises VFEError, with the reason alone, where there is none or where there are several.
        """
        text = None if url is None else path_text(url)
        if url and text is None:
            raise VFEError("is no file on a disk")
        if text is not None:
            path = self.folder / text
            if _is_file(path):
                return path
            parts = names_in(text)
            for root in self.roots:
                for begin in range(len(parts)):
                    if _is_file(moved := root.joinpath(*parts[begin:])):
                        return moved
            if parts and _is_file(beside := self.folder / parts[-1]):
                return beside
            return self._somewhere(parts[-1] if parts else text)
        for name in filter(None, names):
            if _is_file(path := self.folder / name):
                return path
            return self._somewhere(name)
        raise VFEError("has no name")

    def _somewhere(self, name: str) -> Path:
        """Return the one file of this name below the roots."""
        key = name.casefold()
        found = self._index.get(key) or self._stems.get(key) or []
        if len(found) == 1:
            return found[0]
        if found:
            raise VFEError(f"several files are called so, {found[0]} and {found[1]}; name a folder nearer to one")
        raise VFEError("is not there" if self.roots else "is not there; --media-root FOLDER says where to look")

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """All files below the roots, by their names in lower case."""
        index: dict[str, list[Path]] = {}
        for root in self.roots:
            for folder, folders, files in os.walk(root):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(files):
                    if not name.startswith("."):
                        index.setdefault(name.casefold(), []).append(Path(folder, name))
        return index

    @cached_property
    def _stems(self) -> dict[str, list[Path]]:
        """The same, without their suffixes."""
        index: dict[str, list[Path]] = {}
        for name, paths in self._index.items():
            index.setdefault(Path(name).stem, []).extend(paths)
        return index


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
