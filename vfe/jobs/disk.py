"""How much of a disk the chunks of a job take, told before they are written."""

from __future__ import annotations

import shutil
from pathlib import Path

from av.video.format import VideoFormat

from ..video.chunk import PictureChunks
from .chunks import Output

_GB = 10**9


def chunk_bytes(output: Output, frames: int, size: tuple[int, int]) -> int:
    """Return the most bytes that the chunks of so many frames of `size` (width, height) take: those of raw pictures."""
    chunks = output.chunks
    layout = VideoFormat(chunks.target.pix_fmt) if isinstance(chunks, PictureChunks) else VideoFormat("rgb48le")
    return frames * size[0] * size[1] * layout.padded_bits_per_pixel // 8


def disk_lines(folder: Path, most: int, output: Output) -> list[str]:
    """Return what a person should know of the disk before a job begins: what it may take, and whether that is there."""
    free = shutil.disk_usage(folder).free
    is_exact = isinstance(output.chunks, PictureChunks) and output.chunks.codec == "raw"
    upto = "" if is_exact else "at most "
    lines = [f"chunks take {upto}{_size(most)} in {folder} until the result is written; {_size(free)} are free there"]
    if free < most:
        when = "" if is_exact else " in the worst case"
        lines.append(
            f"{_size(most - free)} are missing there{when}: free some space, or name a folder on another disk (--job); "
            "nothing that is done is lost where a disk is full"
        )
    return lines


def _size(count: int) -> str:
    return f"{count / _GB:.1f} GB" if count >= _GB / 10 else f"{count / 10**6:.1f} MB"
