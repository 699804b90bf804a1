"""What runs keep for the next one: tensors in ComfyUI's temp folder, which it empties whenever it starts.

Keys are made of contents, so what is found under one is what would be computed again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import folder_paths
from torch import Tensor

from ...vfe.tensor_io.safetensors_file import open_safetensors
from ...vfe.tensor_io.source import TensorSource
from ...vfe.tensor_io.write import entries_of, write_safetensors
from ...vfe.types import VFEError
from .fingerprint import fingerprint

FOLDER = "vfe_kept"
MOST_BYTES = 2 << 30
"""The most bytes that are kept."""
CLOCK_STEP = 20_000_000
"""The nanoseconds by which the time of a file may be behind: file systems take the time of the last tick."""
SHARE_OF_DISK = 0.25
"""The most of what is free on the disk that is kept, beside what is there already."""

T = TypeVar("T")


def _temp_folder() -> Path:
    return Path(folder_paths.get_temp_directory()) / FOLDER


@dataclass(frozen=True)
class KeptFiles:
    """The kept tensors as one run sees them. What cannot be read or written is not kept: no error comes of it."""

    folder: Path = field(default_factory=_temp_folder)
    most_bytes: int = MOST_BYTES
    began: int = field(default_factory=lambda: time.time_ns() - CLOCK_STEP)
    """When the run began: what it kept or used itself makes no room for more. Else a clip that is larger than the room
    would always have lost what comes next."""

    def find(self, key: str, read: Callable[[TensorSource], T]) -> T | None:
        """Return what `read` makes of the tensors under a key, or None where there are none."""
        path = self._path(key)
        try:
            found = read(open_safetensors(path))
            os.utime(path)
        except (VFEError, OSError):
            return None
        return found

    def keep(self, key: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bool:
        """Keep tensors under a key, exactly, where there is room; what was not used for the longest time makes it.

        Returns whether they are kept.
        """
        entries = entries_of({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            has_room = self._make_room(sum(entry.bytes for entry in entries.values()))
            if has_room:
                write_safetensors(self._path(key), entries, metadata or {})
        except OSError:
            return False
        return has_room

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def _make_room(self, needed: int) -> bool:
        """Remove files of earlier runs until there is room for so many bytes; return whether there is."""
        stats = {path: path.stat() for path in self.folder.iterdir()}
        taken = sum(stat.st_size for stat in stats.values())
        room = min(self.most_bytes, taken + int(SHARE_OF_DISK * shutil.disk_usage(self.folder).free))
        old = sorted(
            (path for path in stats if stats[path].st_mtime_ns < self.began), key=lambda p: stats[p].st_mtime_ns
        )
        if taken + needed > room and taken - sum(stats[path].st_size for path in old) + needed > room:
            return False
        for path in old:
            if taken + needed <= room:
                break
            with suppress(OSError):  # another run reads it
                path.unlink()
                taken -= stats[path].st_size
        return taken + needed <= room


def key_of(*parts: str, tensors: Iterable[Tensor] = ()) -> str:
    """Return a key of texts and of the contents of tensors, with their shapes and number formats."""
    digest = hashlib.sha256(repr(parts).encode())
    for tensor in tensors:
        digest.update(fingerprint(tensor))
    return digest.hexdigest()
