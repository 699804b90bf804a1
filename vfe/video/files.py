"""Which files an input names: one video, one image, a folder of images or a glob of them."""

from __future__ import annotations

import io
import re
import stat
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from ..types import VFEError
from .orient import Orientation, orientation_by_angle, orientation_of_photo

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
_STANDARD_STREAMS = frozenset({"/dev/stdin", "/dev/stdout", "/dev/stderr"})

_EXIF_REACH = 1 << 17  # EXIF data comes first and holds at most 64 KiB


class Input(NamedTuple):
    """What an input path stands for."""

    path: Path
    kind: str  # "video", "images" or "image"
    images: tuple[Path, ...]  # in natural order; empty for a video


def find_input(path: str | Path) -> Input:
    """Resolve a path, folder or glob; a path that exists is no glob. Raises VFEError if there is nothing to read."""
    path = Path(path)
    refuse_pipe(path)
    try:
        if path.is_dir():
            return _image_set(path, [p for p in path.iterdir() if is_image(p) and p.is_file()])
        if not path.exists() and has_magic(str(path)):
            return _image_set(path, [p for p in _expand(path) if is_image(p) and p.is_file()])
        if not path.exists():
            raise VFEError(f"{path}: no such file; give a video, an image, a folder of images or a glob of them")
    except OSError as error:
        raise VFEError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
    return Input(path, "image", (path,)) if is_image(path) else Input(path, "video", ())


def refuse_pipe(path: Path) -> None:
    """Raise VFEError for a name that stands for a pipe or a device: a file is read twice and written out of order."""
    if str(path) == "-" or str(path) in _STANDARD_STREAMS:
        raise VFEError(f"{path}: pipes are not supported yet; give the name of a file")
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # nothing there, or for the caller to say
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "device"
        raise VFEError(f"{path}: is a {kind}, which is not supported yet; give the name of a file")


def is_image(path: Path) -> bool:
    """Whether the suffix is that of a still image. Hidden files are not images (macOS leaves ._x.png beside x.png)."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), p) if p.isascii() and p.isdigit() else (1, 0, p) for p in parts]


def open_video(path: Path) -> InputContainer:
    """Open a video for demuxing; the "file:" keeps names with colons from being taken for protocols."""
    return av.open(f"file:{path}", "r", metadata_errors="replace")


def open_image(path: Path) -> InputContainer:
    """Open one image. From memory, so that its content decides the format and %d in its name means nothing."""
    return av.open(io.BytesIO(path.read_bytes()), "r", metadata_errors="replace")


def image_orientation(path: Path, frame: VideoFrame) -> Orientation:
    """How to turn an image upright; cameras say it in EXIF, whose mirrored kinds FFmpeg's angle does not tell."""
    with path.open("rb") as file:
        return orientation_of_photo(file.read(_EXIF_REACH)) or orientation_by_angle(frame)


def _image_set(path: Path, found: list[Path]) -> Input:
    if not found:
        raise VFEError(f"{path}: no images there; needed are {', '.join(sorted(IMAGE_SUFFIXES))} files")
    return Input(path, "images", tuple(sorted(found, key=natural_key)))


def _expand(pattern: Path) -> list[Path]:
    """What a glob matches. Folders of it that exist are taken literally, whatever brackets are in their names."""
    folder, *parts = pattern.parts if pattern.anchor else (".", *pattern.parts)
    root = Path(folder)
    while parts and (root / parts[0]).exists():
        root /= parts.pop(0)
    return list(root.glob(str(Path(*parts))))
