"""What a restored file is called where nobody said.

It needs nothing but Python, for quickstart.py uses it before anything is installed.
"""

from __future__ import annotations

from pathlib import Path

from ..files.aside import fitting_name
from .photo.count import is_animation
from .suffixes import READ_SUFFIXES, VIDEO_SUFFIXES


def output_for(clip: Path) -> Path:
    """Return where the restored clip goes: beside the clip, named after it."""
    if is_glob(clip):  # of images: the folder that they are all in
        clip = next(folder for folder in clip.absolute().parents if folder.exists())
    if clip.is_dir():
        folder = clip.resolve()
        name = folder.name.replace(".", "_")  # to vfe, a name with a suffix would be a file
        return folder.with_name(fitting_name(name, "_restored"))
    return clip.with_name(fitting_name(clip.stem, f".restored{restored_suffix(clip)}"))


def restored_suffix(clip: Path) -> str:
    """Return the suffix of what a video or an image becomes: its own where such files are written.

    Raises OSError for an image that cannot be opened: animations become videos.
    """
    suffix = clip.suffix.lower()
    if suffix in READ_SUFFIXES and not (clip.is_file() and is_animation(clip)):
        return ".png"
    return clip.suffix if suffix in VIDEO_SUFFIXES else ".mp4"


def is_glob(clip: Path) -> bool:
    """Return whether a name is a pattern: it has the marks of one, and no file is called so."""
    return any(mark in str(clip) for mark in "*?[") and not clip.exists()
