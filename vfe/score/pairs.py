"""Which clips are compared: files, or the clips of folders that have the same name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..batch.clips import RESULT, find_clips
from ..types import VFEError

SHOWN = 3
"""How many names an error lists."""


class Pair(NamedTuple):
    """A result, the clean clip that it should be, and the clip that it was made from."""

    name: str
    result: Path
    reference: Path | None
    source: Path | None


def find_pairs(result: Path, reference: Path | None, source: Path | None) -> list[Pair]:
    """Return the clips of a folder with those of the same name in the other folders, or the one that is given.

    Names are compared without extension, and without the `.restored` that `vfe enhance` adds. Raises VFEError where a
    folder has no clip, two of one name, or none for a result.
    """
    found = _clips(result)
    if found is None:
        name = _key(Path(result.name))
        others = (None if path is None else _same(path, name) for path in (reference, source))
        return [Pair(name, result, *others)]
    beside = [_all_of(path, found, f"--{option}") for option, path in (("reference", reference), ("input", source))]
    return [Pair(name, path, beside[0].get(name), beside[1].get(name)) for name, path in found.items()]


def _clips(folder: Path) -> dict[str, Path] | None:
    """Return the clips of a folder by name, or None where it is one clip."""
    found = find_clips(folder, folder / ".no-output")
    if found is None:
        return None
    if not found.clips:
        raise VFEError(f"{folder}: holds no clip; needed are videos or folders of images")
    named: dict[str, Path] = {}
    for clip in found.clips:
        name = _key(clip.name)
        if name in named:
            raise VFEError(f"{named[name]} and {clip.path}: have one name; keep one of them in the folder")
        named[name] = clip.path
    return named


def _all_of(folder: Path | None, wanted: dict[str, Path], option: str) -> dict[str, Path]:
    """Return the clip for each wanted name; none at all without a folder."""
    if folder is None:
        return {}
    found = _clips(folder)
    if found is None:
        raise VFEError(f"{folder}: is one clip, but the results are many; {option} needs a folder of clips")
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        names = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
        raise VFEError(f"{folder}: has no clip for {names}; {option} needs one of the same name for each result")
    return found


def _same(path: Path, name: str) -> Path:
    """Return the clip at a path, or the one of this name where it is a folder of clips."""
    found = _clips(path)
    if found is None:
        return path
    if name not in found:
        raise VFEError(f"{path}: has no clip named {name}; give the clip itself")
    return found[name]


def _key(name: Path) -> str:
    """Return the name of a clip without extension and without what `vfe enhance` adds to it."""
    stem = name.with_suffix("") if name.suffix else name
    text = stem.as_posix()
    return text[: -len(RESULT)] if text.endswith(RESULT) else text
