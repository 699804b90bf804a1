"""Pictures to look at: frames side by side in a PNG.

H W sides; frames are (H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import torch
from torch import Tensor


def to_frames(video: Tensor) -> Tensor:
    """A video (1, 3, T, H, W) in [-1, 1] as frames (T, H, W, 3) uint8 on the CPU."""
    levels = ((video[0].float().clamp(-1, 1) + 1) * 127.5).round()
    return levels.byte().permute(1, 2, 3, 0).contiguous().cpu()


def write_sheet(path: Path, rows: Sequence[Sequence[Tensor]]) -> None:
    """Write a PNG with a row for each of `rows`, each of frames (H, W, 3) uint8 of one size."""
    sheet = torch.cat([torch.cat(list(row), dim=1) for row in rows], dim=0).contiguous()
    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width, codec.pix_fmt, codec.time_base = *sheet.shape[:2], "rgb24", Fraction(1)
    frame = av.VideoFrame.from_ndarray(sheet.numpy(), format="rgb24")
    path.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None))))
