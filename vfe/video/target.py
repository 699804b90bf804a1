"""Whether an output can be written where it is to go, checked before any work."""

from __future__ import annotations

import os
from pathlib import Path

from ..files.aside import real_path
from ..types import Remedy, VFEError
from .files import is_image, refuse_pipe
from .info import VideoInfo
from .planes import MAX_SIDE
from .suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def output_kind(path: str | Path, info: VideoInfo) -> str:
    """Return whether an output path asks for a "video", a "folder" of PNGs or one "image".

    Raises VFEError for other suffixes, and for an image of a source of many frames.
    """
    text, suffix = str(path), Path(path).suffix.lower()
    separators = tuple(s for s in (os.sep, os.altsep) if s)
    if text.endswith(separators) or not suffix or Path(path).is_dir():
        return "folder"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in IMAGE_SUFFIXES:
        if info.kind == "image" or info.frames == 1:
            return "image"
        raise VFEError(f"{path}: names one image, but the input has many frames; give a folder or a .mp4 name instead")
    raise VFEError(
        f"{path}: unknown suffix {suffix!r}; needed is {', '.join(VIDEO_SUFFIXES)}, an image suffix for one image, "
        "or a folder (no suffix) for PNGs"
    )


def check_size(size: tuple[int, int]) -> None:
    """Raise VFEError unless (width, height) can be encoded."""
    width, height = size
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise VFEError(f"output size {width}x{height} is not possible; each side must be 1 to {MAX_SIDE} pixels")


def check_file(path: Path, sources: tuple[Path, ...], overwrite: bool) -> None:
    """Raise VFEError unless a file can be written at `path` without harm to `sources`."""
    refuse_pipe(path)
    _check_folder(path)
    if path.is_dir():
        raise VFEError(f"{path}: is a folder; give the name of a file")
    if any(_same(path, source) for source in sources):
        raise VFEError(f"{path}: is the input itself; choose another output name")
    if path.exists() and not overwrite:
        fact = f"{path}: exists already"
        raise VFEError(fact, Remedy.REPLACE_OUTPUT, "use --overwrite or choose another name")


def check_frames_folder(path: Path, sources: tuple[Path, ...], overwrite: bool) -> None:
    """Raise VFEError unless PNGs can be written into folder `path` without harm to what is in it."""
    refuse_pipe(path)
    _check_folder(path)
    if path.exists() and not path.is_dir():
        raise VFEError(f"{path}: is a file, not a folder; PNGs need a folder, a video needs a suffix such as .mp4")
    if any(_same(path, source.parent) for source in sources if is_image(source)):
        raise VFEError(f"{path}: is the folder of the input images; choose another output folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        fact = f"{path}: is not empty"
        raise VFEError(fact, Remedy.REPLACE_OUTPUT, "use --overwrite to replace frames in it or choose another folder")
    if path.is_dir() and not os.access(path, os.W_OK):
        raise VFEError(f"{path}: cannot be written to; choose another folder")


def _check_folder(path: Path) -> None:
    parent = real_path(path).absolute().parent
    if not parent.is_dir():
        raise VFEError(f"{parent}: no such folder; create it first or choose another output")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise VFEError(f"{parent}: cannot be written to; choose another folder for the output")


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return a.absolute() == b.absolute()
