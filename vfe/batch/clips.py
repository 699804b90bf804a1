"""Which clips a folder or a glob holds. Names of clips are paths below the folder that was asked for.

- A video is a clip.
- A folder that holds images, and no video in it or in a folder below, is one clip: its images are frames. Folders below
  it are passed over. Asked for by itself, it is no batch, but the clip that `vfe enhance` restores.
- Other images, beside videos or above them, are pictures, each a clip of its own, as in the folder of a camera.

Hidden files and folders are passed over, and so are the folder of the outputs, results beside their sources, and
folders that were seen already, which links may lead to in circles.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from ..video.files import expand, is_image, natural_key
from ..video.suffixes import READ_VIDEO_SUFFIXES

RESULT = ".restored"
"""What the names of results have after that of their source where nobody named them (`video.output_name`)."""


class Clip(NamedTuple):
    """A video, an image or a folder of frames."""

    path: Path
    name: Path
    """Where it is, below the folder that was asked for."""


class Found(NamedTuple):
    """What a folder or a glob holds."""

    root: Path
    """The folder that names are below."""
    clips: tuple[Clip, ...]
    """In natural order of their names."""
    unread: tuple[tuple[Path, str], ...]
    """Folders that could not be looked into, and why."""
    notes: tuple[str, ...]
    """What was passed over that somebody may have meant, a sentence each."""


def find_clips(source: Path, output: Path, *, watch: bool = False, pictures: bool = False) -> Found | None:
    """Return the clips of a folder or a glob, or None where `source` is one clip (or nothing), as it is without this.

    What is in the folder `output` is passed over. With `watch`, a folder is never one clip: more may appear in it. With
    `pictures`, each image is a clip of its own, and none is a frame.
    """
    if source.is_dir():
        walk = _Walk(source, output, pictures)
        walk.look_into(source)
    elif has_magic(str(source)) and not source.exists():
        root, matched = expand(source)
        walk = _Walk(root, output, pictures)
        walk.match(matched)
    else:
        return None
    return None if walk.is_one_clip and not (watch or pictures) else walk.found(watch)


@dataclass
class _Folder:
    """A folder that was looked into."""

    path: Path
    above: _Folder | None
    videos: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    has_video: bool = False
    """Whether a video is in it or in a folder below."""
    is_frames: bool = False
    """Whether its images are the frames of one clip, or it is below such a folder."""


class _Walk:
    """Looks into folders, each once, however deep they are."""

    def __init__(self, root: Path, output: Path, pictures: bool) -> None:
        self.root, self.pictures = root, pictures
        self.folders: list[_Folder] = []  # each after the one above it
        self.unread: list[tuple[Path, str]] = []
        self.notes: list[str] = []
        self._seen = {_identity(output): output} if output.is_dir() else {}

    @property
    def is_one_clip(self) -> bool:
        """Whether what was asked for is images alone."""
        top = self.folders[0] if self.folders else None
        return top is not None and bool(top.images) and not any(folder.videos for folder in self.folders)

    def look_into(self, path: Path, above: _Folder | None = None) -> None:
        """Look into a folder and those below."""
        waiting = [(path, above)]
        while waiting:
            path, above = waiting.pop()
            if (entries := self._entries(path)) is None:
                continue
            folder = _Folder(path, above)
            self.folders.append(folder)
            self._sort(folder, (Path(entry) for entry in entries if not _is_folder(entry)))
            waiting += [(Path(entry), folder) for entry in entries if _is_folder(entry)]

    def match(self, paths: Iterable[Path]) -> None:
        """Take the files that a glob matches, and look into the folders that it does."""
        top = _Folder(self.root, None)
        self.folders.append(top)
        matched = sorted(path for path in paths if not path.name.startswith("."))
        self._sort(top, (path for path in matched if not path.is_dir()))
        for path in matched:
            if path.is_dir():
                self.look_into(path, top)

    def found(self, watch: bool) -> Found:
        """Return the clips of all folders."""
        for folder in reversed(self.folders):
            folder.has_video |= bool(folder.videos)
            if folder.above is not None:
                folder.above.has_video |= folder.has_video
        paths = dict.fromkeys(path for folder in self.folders for path in self._clips(folder, watch))
        clips = sorted((Clip(path, path.relative_to(self.root)) for path in paths), key=_order)
        return Found(self.root, tuple(clips), tuple(self.unread), tuple(self.notes))

    def _clips(self, folder: _Folder, watch: bool) -> list[Path]:
        """Return the clips in one folder; the one above it was asked before."""
        if folder.above is not None and folder.above.is_frames:
            folder.is_frames = True
            if folder.images:
                self.notes.append(f"{folder.path} is passed over: it is in a folder of images, which are frames")
            return []
        if self.pictures or not folder.images or folder.has_video or (folder.above is None and watch):
            return folder.videos + folder.images
        folder.is_frames = True
        return [folder.path]

    def _sort(self, folder: _Folder, files: Iterable[Path]) -> None:
        """Put the videos and images among files into their lists."""
        files = list(files)
        stems = {path.stem for path in files}
        for path in files:
            if path.stem.endswith(RESULT) and path.stem.removesuffix(RESULT) in stems:
                self.notes.append(f"{path} is passed over: it is the result of a file beside it")
            elif is_image(path):
                folder.images.append(path)
            elif path.suffix.lower() in READ_VIDEO_SUFFIXES:
                folder.videos.append(path)

    def _entries(self, path: Path) -> list[os.DirEntry[str]] | None:
        """Return what is in a folder but for hidden names, or None where it is passed over."""
        try:
            identity = _identity(path)
            if identity in self._seen:
                if path.is_symlink():
                    self.notes.append(f"{path} is passed over: it is a link to {self._seen[identity]}")
                return None
            self._seen[identity] = path
            with os.scandir(path) as entries:
                return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
        except OSError as error:
            self.unread.append((path, f"cannot be looked into ({error.strerror}); check its permissions"))
            return None


def _identity(folder: Path) -> tuple[int, int]:
    """Return what tells a folder from all others, by whichever name it was reached."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; of a link that leads nowhere, it is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _order(clip: Clip) -> tuple[list[list[tuple[int, int, str]]], str]:
    """Return a sort key: natural order part by part, and the name itself where only case differs."""
    return [natural_key(Path(part)) for part in clip.name.parts], str(clip.name)
