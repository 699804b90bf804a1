"""How much of a disk the chunks of a job take, told before they are written; a disk that is too small is refused."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from av.video.format import VideoFormat

from ..types import VFEError
from ..video.chunk import PictureChunks
from .chunks import Output

_GB = 10**9
_LEAST_SHARE = 0.19
"""What chunks without loss took of the raw pictures of a clean clip, as measured; noise takes more."""


@dataclass(frozen=True)
class DiskNeed:
    """The bytes that the chunks of a job take."""

    most: int
    """As raw pictures."""
    is_exact: bool
    """Whether they are that, and no less."""

    @classmethod
    def of(cls, output: Output, frames: int, size: tuple[int, int]) -> DiskNeed:
        """Return what so many frames of `size` (width, height) take."""
        chunks = output.chunks
        layout = VideoFormat(chunks.target.pix_fmt if isinstance(chunks, PictureChunks) else "rgb48le")
        most = frames * size[0] * size[1] * layout.padded_bits_per_pixel // 8
        return cls(most, isinstance(chunks, PictureChunks) and chunks.codec == "raw")

    @property
    def least(self) -> int:
        """What a clean clip takes."""
        return self.most if self.is_exact else round(_LEAST_SHARE * self.most)

    def check(self, folder: Path) -> None:
        """Raise VFEError where the disk of a folder has not even what a clean clip takes."""
        free = shutil.disk_usage(folder).free
        if free < self.least:
            smaller = "take --job-codec ffv1, " if self.is_exact else ""
            raise VFEError(
                f"{folder}: {_size(free)} are free there, and the chunks take {'' if self.is_exact else 'some '}"
                f"{_size(self.least)}{'' if self.is_exact else ' or more'}; free some space, name a folder on another "
                f"disk (--job DIR), {smaller}or go on regardless with --no-disk-check"
            )

    def lines(self, folder: Path) -> list[str]:
        """Return what a person should know of the disk before a job begins: what it may take, and what is missing."""
        free = shutil.disk_usage(folder).free
        upto = "" if self.is_exact else "at most "
        takes = f"chunks take {upto}{_size(self.most)} in {folder} until the result is written"
        lines = [f"{takes}; {_size(free)} are free there"]
        if free < self.most:
            when = "" if self.is_exact else " in the worst case"
            lines.append(
                f"{_size(self.most - free)} are missing there{when}: free some space, or name a folder on another disk "
                "(--job); nothing that is done is lost where a disk is full"
            )
        return lines


def _size(count: int) -> str:
    return f"{count / _GB:.1f} GB" if count >= _GB / 10 else f"{count / 10**6:.1f} MB"
