"""Results on the disk: which frames of which file were restored how, so that nothing is restored twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .timing import Frames

FORMAT = "vfe-blender-1"
LARGEST_RECORD = 1 << 16
"""The bytes of the largest file that is read as a record: ours are smaller."""
NAME_LENGTH = 60
"""The letters of a clip's name that are kept in that of its result: some file systems take 143 bytes in all."""


@dataclass(frozen=True)
class Clip:
    """A file as it is now."""

    path: str
    size: int
    modified: int
    """In nanoseconds."""

    @classmethod
    def of(cls, path: Path) -> Clip:
        """Look at a file. Raises OSError where there is none."""
        about = path.stat()
        return cls(str(path), about.st_size, about.st_mtime_ns)


@dataclass(frozen=True)
class Result:
    """A video with some restored frames of a clip."""

    path: Path
    frames: Frames


def digest(*parts: Any) -> str:  # noqa: ANN401 - anything that JSON holds
    """Return eight letters that differ where the parts do."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def result_name(clip: Clip, options: Sequence[str], frames: Frames, suffix: str) -> str:
    """Return the name of the file of a result."""
    key = digest(clip.path, clip.size, clip.modified, list(options))
    stop = "end" if frames.stop is None else frames.stop
    return f"{short_name(clip.path)}.{frames.first}-{stop}.{key}{suffix}"


def images_name(images: Sequence[Clip], options: Sequence[str]) -> str:
    """Return the name of the folder with the results of images, which says all of them."""
    key = digest([[image.path, image.size, image.modified] for image in images], list(options))
    return f"{short_name(images[0].path)}.{len(images)}.{key}"


def short_name(path: str) -> str:
    """Return the beginning of a file's name, without what some systems refuse in names."""
    stem = Path(path).stem[:NAME_LENGTH]
    return "".join(c if c.isalnum() or c in "-_ " else "_" for c in stem).strip() or "clip"


def free_path(path: Path) -> Path:
    """Return a path where nothing is yet: this one, or one with a number."""
    paths = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 10_000))
    return path if not path.exists() else next(other for other in paths if not other.exists())


def write_record(result: Result, clip: Clip, options: Sequence[str]) -> None:
    """Note beside a result what it is. Raises OSError where that cannot be written."""
    record = {
        "format": FORMAT,
        "clip": [clip.path, clip.size, clip.modified],
        "options": list(options),
        "frames": list(result.frames),
    }
    path = record_path(result.path)
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(json.dumps(record) + "\n", encoding="utf-8")
    aside.replace(path)


def record_path(result: Path) -> Path:
    """Return where the record of a result lies."""
    return result.with_name(f"{result.name}.json")


def find_results(folder: Path, clip: Clip, options: Sequence[str]) -> Iterator[Result]:
    """Yield what was restored of a clip with these options. What is broken or of somebody else is passed over."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.json")):
        record = _read_record(path)
        result = path.with_suffix("")
        if record is None or not result.is_file():
            continue
        if record.get("clip") == [clip.path, clip.size, clip.modified] and record.get("options") == list(options):
            frames = _frames_of(record.get("frames"))
            if frames is not None:
                yield Result(result, frames)


def _read_record(path: Path) -> Mapping[str, Any] | None:
    try:
        if path.stat().st_size > LARGEST_RECORD:
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


def _frames_of(raw: object) -> Frames | None:
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    first, stop = raw
    if type(first) is not int or not (stop is None or type(stop) is int):
        return None
    return Frames(first, stop) if 0 <= first and (stop is None or first < stop) else None
