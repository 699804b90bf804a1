"""What codecs do, without one: motion-compensated differences in quantised DCT blocks, and a filter for block edges.

Near to H.264 (flat steps, dead zone, deblocking, steps that double every 6 QP) and to MPEG and JPEG (steps by JPEG's
table, no deblocking). Exactly invertible colour conversion: a codec's rounding must not shift the colours.

B batch, T C C frames, 8x8 blocks; levels of 255.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vfe.models.lapped_codec import dct_matrix

from ..dice import append_axes
from .camera import Camera, sample

BLOCK = 8
LUMA_OF_RED, LUMA_OF_BLUE = 0.2126, 0.0722  # BT.709
JPEG_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
INTRA_STEP_FACTOR = 0.75  # x264 codes the frames that others are predicted from this much finer


class Codec(NamedTuple):
    """The codec of each clip; every field is (B,)."""

    qp: Tensor
    """The quantiser of H.264, whose step doubles every 6."""
    table: Tensor
    """Bool: steps grow with frequency as JPEG's do, and nothing smooths the edges of blocks."""
    intra: Tensor
    """Bool: each frame by itself."""
    used: Tensor
    """Bool: False leaves the frames as they are."""


def to_ycc(rgb: Tensor) -> Tensor:
    """RGB (..., 3, H, W) to luma, blue difference and red difference (BT.709), at full resolution."""
    matrix = rgb.new_tensor(_matrix())
    return torch.einsum("ij,...jhw->...ihw", matrix, rgb)


def to_rgb(ycc: Tensor) -> Tensor:
    """The exact inverse of `to_ycc`."""
    matrix = torch.linalg.inv(torch.tensor(_matrix(), dtype=torch.float64)).to(ycc)
    return torch.einsum("ij,...jhw->...ihw", matrix, ycc)


def _matrix() -> list[list[float]]:
    luma = [LUMA_OF_RED, 1 - LUMA_OF_RED - LUMA_OF_BLUE, LUMA_OF_BLUE]
    blue = [(c - y) / (2 * (1 - LUMA_OF_BLUE)) for c, y in zip((0, 0, 1), luma, strict=True)]
    red = [(c - y) / (2 * (1 - LUMA_OF_RED)) for c, y in zip((1, 0, 0), luma, strict=True)]
    return [luma, blue, red]


def apply_codec(video: Tensor, codec: Codec, camera: Camera) -> Tensor:
    """Encode and decode frames (B, T, 3, C, C), C a multiple of 16.

    The change of the camera's shift is the motion that a codec would find.
    """
    planes = to_planes(video)
    luma = _code(planes.luma, codec, camera.shift, chroma=False)
    chroma = _code(planes.chroma, codec, camera.shift / 2, chroma=True)
    return torch.where(append_axes(codec.used, 5), from_planes(Planes(luma, chroma)), video)


class Planes(NamedTuple):
    """Frames as codecs have them: colours at half the sides (4:2:0), in the middle of their squares."""

    luma: Tensor
    """(B, T, 1, C, C)."""
    chroma: Tensor
    """(B, T, 2, C / 2, C / 2), around 0."""


def to_planes(video: Tensor) -> Planes:
    """RGB frames (B, T, 3, C, C) as planes."""
    ycc = to_ycc(video)
    small = F.avg_pool2d(ycc[:, :, 1:].flatten(0, 1), 2).unflatten(0, video.shape[:2])
    return Planes(ycc[:, :, :1], small)


def from_planes(planes: Planes) -> Tensor:
    """The RGB frames (B, T, 3, C, C) of planes."""
    colour = F.interpolate(planes.chroma.flatten(0, 1), scale_factor=2, mode="bilinear", align_corners=False)
    return to_rgb(torch.cat([planes.luma, colour.unflatten(0, planes.luma.shape[:2])], dim=2))


def _code(planes: Tensor, codec: Codec, shift: Tensor, *, chroma: bool) -> Tensor:
    """Frame after frame, each as its difference to the one before, moved as the camera moved."""
    steps = _steps(codec, chroma=chroma)
    alone = _rounding(codec, torch.full_like(codec.qp, 1 / 3))
    beside = _rounding(codec, torch.where(codec.intra, 1 / 3, 1 / 6))
    decoded = [_deblock(_quantise(planes[:, 0] - 128, steps * INTRA_STEP_FACTOR, alone) + 128, codec)]
    for index in range(1, planes.shape[1]):
        moved = _move(decoded[-1], shift[:, index] - shift[:, index - 1])
        base = torch.where(append_axes(codec.intra, 4), torch.full_like(moved, 128.0), moved)
        decoded.append(_deblock(_quantise(planes[:, index] - base, steps, beside) + base, codec))
    return torch.stack(decoded, dim=1)


def _rounding(codec: Codec, inner: Tensor) -> Tensor:
    """The part of a step, (B, 8, 8), that is added before rounding down: `inner` (B,) in H.264, a half in JPEG.

    It is a half for the mean of a block in any case: the mean would drift to grey, where a codec predicts it from the
    blocks beside.
    """
    offset = torch.where(codec.table, 0.5, inner)[:, None, None].expand(-1, BLOCK, BLOCK).clone()
    offset[:, 0, 0] = 0.5
    return offset


def _move(frame: Tensor, by: Tensor) -> Tensor:
    """Planes (B, c, C, C) moved by (B, 2) pixels: the reference of motion compensation."""
    side = frame.shape[-1]
    at = torch.arange(side, device=frame.device, dtype=frame.dtype) + 0.5 - side / 2
    grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1) - by[:, None, None]
    return sample(frame[:, None], grid[:, None], "bilinear", "border")[:, 0]


def _steps(codec: Codec, *, chroma: bool) -> Tensor:
    """The quantiser's steps (B, 8, 8) for the coefficients of an orthonormal DCT."""
    flat = 2 ** ((codec.qp - 4) / 6)
    table = torch.tensor(JPEG_LUMA, device=codec.qp.device, dtype=codec.qp.dtype)
    table = table / table.flatten()[:16].mean() * (1.5 if chroma else 1.0)
    shaped = torch.where(append_axes(codec.table, 3), table, torch.ones_like(table))
    return flat[:, None, None] * shaped


def _quantise(planes: Tensor, steps: Tensor, rounding: Tensor) -> Tensor:
    """Quantise planes (B, c, C, C) in blocks; coefficients below (1 - rounding) of a step become 0."""
    basis = dct_matrix(BLOCK).to(planes)
    blocks = rearrange(planes, "b c (h q) (w r) -> b c h w q r", q=BLOCK, r=BLOCK)
    coefficients = basis @ blocks @ basis.T
    size = steps[:, None, None, None]
    levels = torch.floor(coefficients.abs() / size + rounding[:, None, None, None]) * coefficients.sign()
    blocks = basis.T @ (levels * size) @ basis
    return rearrange(blocks, "b c h w q r -> b c (h q) (w r)")


def _deblock(planes: Tensor, codec: Codec) -> Tensor:
    """H.264's filter of the two pixels at an edge, where the step across it is one that quantisation makes."""
    limit = 0.8 * (2 ** (codec.qp / 6) - 1)
    limit = torch.where(codec.table, 0.0, limit.clamp(max=60))
    for axis in (-1, -2):
        planes = _smooth_edges(planes.transpose(-1, axis), limit).transpose(-1, axis)
    return planes


def _smooth_edges(planes: Tensor, limit: Tensor) -> Tensor:
    """Smooth the vertical edges of blocks whose step is below `limit` (B,)."""
    blocks = planes.unflatten(-1, (-1, BLOCK)).clone()
    p1, p0, q0, q1 = blocks[..., :-1, -2], blocks[..., :-1, -1], blocks[..., 1:, 0], blocks[..., 1:, 1]
    edge, bound = q0 - p0, append_axes(limit, p0.ndim)
    change = ((4 * edge + p1 - q1) / 8).clamp(-bound / 4, bound / 4)
    change = torch.where(edge.abs() < bound, change, 0.0)
    blocks[..., :-1, -1] = p0 + change
    blocks[..., 1:, 0] = q0 - change
    return blocks.flatten(-2)
