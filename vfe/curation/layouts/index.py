"""What several layouts need: videos found by their names, and crop lists read line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...types import VFEError
from ...video.suffixes import READ_VIDEO_SUFFIXES

LARGEST_LIST = 256 << 20  # bytes: the largest published one has 40 MB


def videos_by_stem(root: Path) -> dict[str, Path]:
    """Return the videos in a folder and below by their names without suffix; of two, the first in order of paths.

    Raises VFEError where there is no such folder.
    """
    if not root.is_dir():
        raise VFEError(f"{root}: no such folder; give the folder of the data set")
    videos: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in READ_VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file():
            videos.setdefault(path.stem, path)
    return videos


def read_list(path: Path) -> str:
    """Return the text of a crop list. Raises VFEError for a file that cannot be read or is too large for one."""
    try:
        if path.stat().st_size > LARGEST_LIST:
            raise VFEError(f"{path}: is larger than {LARGEST_LIST >> 20} MiB, which no crop list is")
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise VFEError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def words_of(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line of a list that has any."""
    for line in read_list(path).splitlines():
        if words := line.split():
            yield words


def missing_note(missing: int, of: int, what: str) -> tuple[str, ...]:
    """Return a sentence on clips of a list whose videos are not there, if there are any."""
    return (f"{missing} of {of} clips of {what} have no video here",) if missing else ()
