"""Options of single files, from YAML beside them.

- `NAME.vfe.yaml` beside a clip NAME.mp4, or beside a folder NAME of frames, has options of that clip.
- `batch.yaml` in the folder that was asked for has options by pattern. Patterns are as in a shell, and `*` also
  stands for a /. One without a / is compared with the file's name, another with the whole name below the folder. Of
  several that fit, each option is the last one's.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from ..types import VFEError
from .clips import Clip
from .given import GivenOptions, read_given

BATCH_FILE, SIDECAR = "batch.yaml", ".vfe.yaml"


class OptionFiles:
    """The YAML files of a folder of clips."""

    def __init__(self, root: Path) -> None:
        """Read batch.yaml in `root`. Raises VFEError where it is there and holds something else."""
        path = root / BATCH_FILE
        self._patterns = {
            pattern: _options(value, f"{path}: {pattern!r}") for pattern, value in _mapping(path, "patterns").items()
        }

    def given(self, clip: Clip) -> GivenOptions:
        """Return the options that its own file and batch.yaml give a clip. Raises VFEError for a file of others."""
        given = GivenOptions()
        for pattern, options in self._patterns.items():
            text = clip.name.as_posix() if "/" in pattern else clip.name.name
            if fnmatchcase(text, pattern):
                given = options.over(given)
        stem = clip.path.name if clip.path.is_dir() else clip.path.stem
        sidecar = clip.path.with_name(stem + SIDECAR)
        return _options(_mapping(sidecar, "options"), str(sidecar)).over(given)


def _mapping(path: Path, of: str) -> dict[str, object]:
    """Return the mapping that a YAML file holds; an empty one where there is no file."""
    if not _is_there(path):
        return {}
    from ..files.yaml_file import read_yaml  # PyYAML, which nobody else should wait for

    read = read_yaml(path)
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise VFEError(f"{path}: holds a {type(read).__name__}, needed are {of}, each with a colon and its value")
    return {str(key): value for key, value in read.items()}


def _is_there(path: Path) -> bool:
    """Return whether a file exists; one of a name that is too long for the disk does not."""
    try:
        return path.exists()
    except OSError:
        return False


def _options(value: object, where: str) -> GivenOptions:
    if not isinstance(value, dict):
        raise VFEError(f"{where}: holds a {type(value).__name__}, needed are options such as {{strength: 0.8}}")
    return read_given(value, where)
