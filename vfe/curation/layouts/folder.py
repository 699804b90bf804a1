"""The layout of whatever people have: videos and portraits in folders of any names and depths."""

from __future__ import annotations

from pathlib import Path

from ...batch.clips import find_clips
from ...types import VFEError
from ...video.files import is_image
from ..sources import Source, Sources


def find(root: Path, output: Path, frames: bool) -> Sources:
    """Return every video, and every image as a portrait or, with `frames`, each folder of images as a clip.

    A root may also be a single file or a glob. Raises VFEError where there is nothing of that name.
    """
    found = find_clips(root, output, pictures=not frames)
    if found is None:
        if not root.exists():
            raise VFEError(f"{root}: no such file or folder; give videos, portraits, or folders of them")
        return Sources((source_at(root, root.name),))
    sources = [source_at(clip.path, f"{found.root.name}/{clip.name.as_posix()}") for clip in found.clips]
    return Sources(tuple(sources), tuple((str(path), reason) for path, reason in found.unread), found.notes)


def source_at(path: Path, name: str, person: str | None = None) -> Source:
    """Return the source that a file or a folder of frames is."""
    return Source(path, name, "hq_image" if is_image(path) and path.is_file() else "hq_video", person=person)
