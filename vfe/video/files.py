"""Which files an input names: one video, one image, a folder of images or a glob of them."""

from __future__ import annotations

import re
import stat
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer

from ..types import VFEError
from .flags import flag_number
from .photo.count import is_animation
from .suffixes import READ_SUFFIXES

_GENPTS = 1  # AVFMT_FLAG_GENPTS
# Sound may be announced late (the first option, which the ffmpeg program sets too) or begin late (the second, in
# microseconds; FFmpeg reads no more than 5 MB to know the streams, and stops when it does).
_RECOGNISE_LATE_SOUND = {"scan_all_pmts": "1", "analyzeduration": "60000000"}
_STANDARD_STREAMS = frozenset({"/dev/stdin", "/dev/stdout", "/dev/stderr"})


class Input(NamedTuple):
    """What an input path stands for: its kind and, for images, the files."""

    path: Path
    kind: str  # "video", "animation" (in a file of images), "images" or "image"
    images: tuple[Path, ...]  # in natural order; empty for a video and an animation


def find_input(path: str | Path) -> Input:
    """Resolve a path, folder or glob; a path that exists is no glob. Raises VFEError where there is nothing to read."""
    path = Path(path)
    refuse_pipe(path)
    try:
        if path.is_dir():
            return _image_set(path, [p for p in path.iterdir() if is_image(p) and p.is_file()])
        if not path.exists() and has_magic(str(path)):
            return _image_set(path, [p for p in expand(path)[1] if is_image(p) and p.is_file()])
        if not path.exists():
            raise VFEError(f"{path}: no such file; give a video, an image, a folder of images or a glob of them")
    except OSError as error:
        raise VFEError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
    if not is_image(path):
        return Input(path, "video", ())
    return Input(path, "animation", ()) if is_animation(path) else Input(path, "image", (path,))


def refuse_pipe(path: Path) -> None:
    """Raise VFEError for a name that stands for a pipe or a device: files are read twice and written out of order.

    Those that restoring takes are opened by `pipe`.
    """
    if str(path) == "-" or str(path) in _STANDARD_STREAMS:
        raise VFEError(f"{path}: a pipe cannot stand here; give the name of a file")
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # nothing there, or for the caller to say
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "device"
        raise VFEError(f"{path}: is a {kind}, not a file", command="`vfe enhance` takes Y4M on standard input as -")


def is_image(path: Path) -> bool:
    """Return whether the suffix is that of a still image.

    Hidden files are none: macOS leaves ._x.png beside x.png.
    """
    return path.suffix.lower() in READ_SUFFIXES and not path.name.startswith(".")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), p) if p.isascii() and p.isdigit() else (1, 0, p) for p in parts]


def open_video(path: Path, *, ignore_edits: bool = False) -> InputContainer:
    """Open a video for demuxing. Raises what FFmpeg raises.

    The prefix "file:" keeps names with colons from being taken for protocols.
    """
    options = _RECOGNISE_LATE_SOUND | ({"ignore_editlist": "1"} if ignore_edits else {})
    container = av.open(f"file:{path}", "r", metadata_errors="replace", container_options=options)
    # PyAV lets FFmpeg guess when frames are shown, from the next packet, which is wrong for reordered frames.
    container.flags = flag_number(container.flags) & ~_GENPTS
    return container


def _image_set(path: Path, found: list[Path]) -> Input:
    if not found:
        raise VFEError(f"{path}: no images there; needed are {', '.join(sorted(READ_SUFFIXES))} files")
    return Input(path, "images", tuple(sorted(found, key=natural_key)))


def expand(pattern: Path) -> tuple[Path, list[Path]]:
    """Return the folder that a glob starts from, and the paths that it matches.

    Folders of it that exist are taken literally, whatever brackets are in their names. Raises VFEError for a pattern
    that is none.
    """
    folder, *parts = pattern.parts if pattern.anchor else (".", *pattern.parts)
    root = Path(folder)
    while parts and (root / parts[0]).exists():
        root /= parts.pop(0)
    try:
        return root, list(root.glob(str(Path(*parts))))
    except ValueError as error:  # before Python 3.13, of ** beside other characters
        raise VFEError(f"{pattern}: is no pattern ({error}); put ** between slashes, as in '**/*.mp4'") from error
