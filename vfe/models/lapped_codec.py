"""The lite codec: an orthonormal lapped transform between pixels and latents, exactly invertible.

B batch, C channels, T H W pixel frames and sides, t h w latent ones, p frame of a group, q r row and column in a block.

In space it is the time-domain lapped transform (Tran, Liang, Tu 2003, "Lapped transform via time-domain pre- and
post-filtering") with an orthogonal filter: pixels are mixed across each block border before an 8x8 DCT, so that the
basis functions overlap and quantised or wrongly predicted coefficients leave no block edge. In time it is a 4-point
DCT within a group: the first frame is a group alone, which keeps the codec causal. A per-channel scale then whitens
the coefficients, whose natural size falls by two orders of magnitude from DC to the highest frequency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from ..types import CheckCancelled, VideoShape, never_cancelled

LARGEST_BLOCK = 4096
"""The most values of a block and colour: a bound on what a file may ask for."""


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Block sizes of the transform: `time` frames and `space` x `space` pixels to a latent of 3 * time * space^2."""

    time: int = 4
    space: int = 8
    lapped: bool = True

    def __post_init__(self) -> None:
        if self.time < 1 or self.space < 2 or self.space % 2:
            raise ValueError(f"codec blocks are {self.time}x{self.space}x{self.space}, needed time >= 1, space even")
        if self.time * self.space**2 > LARGEST_BLOCK:
            raise ValueError(
                f"codec blocks are {self.time}x{self.space}x{self.space}, needed at most {LARGEST_BLOCK} values"
            )

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return 3 * self.time * self.space**2


def dct_matrix(size: int) -> Tensor:
    """Return the orthonormal DCT-II, (size, size) float64 on the CPU, with a basis function in each row."""
    i = torch.arange(size, dtype=torch.float64, device="cpu")[None]
    k = i.T
    basis = torch.cos(math.pi * (i + 0.5) * k / size) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis


def lapping_matrix(size: int) -> Tensor:
    """Return the orthogonal pre-filter (size, size) of the `size` pixels around a block border, in float64.

    P = W diag(I, V) W / 2 with W the butterfly of the two halves and V = J (C_II^T C_IV) J, the choice of the type-II
    fast lapped transform (Malvar): the odd half is rotated so that ramps through the border need no high frequency.
    """
    half = size // 2
    eye = torch.eye(half, dtype=torch.float64, device="cpu")
    flip = eye.flip(0)
    i = torch.arange(half, dtype=torch.float64, device="cpu")
    dct4 = torch.cos(math.pi * (i[:, None] + 0.5) * (i[None] + 0.5) / half) * math.sqrt(2 / half)
    rotation = flip @ dct_matrix(half).T @ dct4 @ flip
    butterfly = torch.cat([torch.cat([eye, flip], 1), torch.cat([flip, -eye], 1)]) / math.sqrt(2)
    middle = torch.block_diag(eye, rotation)
    return butterfly @ middle @ butterfly


class LappedCodec(nn.Module):
    """Pixels (B, 3, 4n+1, 8h, 8w) <-> latents (B, 768, n+1, h, w), exact both ways in float32."""

    scale: Tensor  # (C,)
    time_dct: Tensor  # (time, time), a basis function a row
    space_dct: Tensor  # (space^2, space^2), a basis function a row
    lapping: Tensor  # (space, space)

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("scale", torch.ones(config.channels))  # measured on training clips, kept with the weights
        self.build_transforms(torch.device("cpu"))

    def build_transforms(self, device: torch.device) -> None:
        """Compute the matrices of the transform; needed again after a model was built on meta."""
        space = dct_matrix(self.config.space)
        matrices = {
            "time_dct": dct_matrix(self.config.time),
            "space_dct": torch.kron(space, space),
            "lapping": lapping_matrix(self.config.space),
        }
        for name, matrix in matrices.items():
            self.register_buffer(name, matrix.float().to(device), persistent=False)

    def latent_shape(self, shape: VideoShape) -> VideoShape:
        """Return the grid of the latents of a clip of time n + 1 frames whose sides are multiples of `space`."""
        return shape.to_latent(self.config.space, self.config.time)

    def encode(self, video: Tensor, check: CheckCancelled = never_cancelled, *, leads: bool = True) -> Tensor:
        """Return the whitened coefficients (B, C, n + 1, h, w) of video (B, 3, time n + 1, H, W) in [-1, 1].

        `leads` says whether the first frame is the first of a clip, and so a group of its own; a part from the middle
        of a clip has time n frames and n latents. Raises ValueError for another shape.
        """
        self._check(video, leads)
        check()
        time, start = self.config.time, int(leads)
        first = [video[:, :, :1].expand(-1, -1, time, -1, -1)] if leads else []
        rest = (video[:, :, at : at + time] for at in range(start, video.shape[2], time))
        groups = [self._encode_group(group) for group in (*first, *rest)]
        return rearrange(torch.stack(groups, dim=1), "b t h w c -> b c t h w")

    def decode(self, latent: Tensor, check: CheckCancelled = never_cancelled, *, leads: bool = True) -> Tensor:
        """The inverse of `encode`."""
        check()
        first, *rest = (self._decode_group(group) for group in latent.unbind(2))
        return torch.cat([first[:, :, -1:] if leads else first, *rest], dim=2)

    def _encode_group(self, video: Tensor) -> Tensor:
        """(B, 3, time, H, W) -> (B, h, w, C). One group at a time stays in the processor's cache."""
        space = self.config.space
        frequencies = self._lap(_over_time(self.time_dct, video), self.lapping)
        blocks = rearrange(frequencies, "b c p (h q) (w r) -> b h w (c p) (q r)", q=space, r=space)
        return (blocks @ self.space_dct.T).flatten(-2) * self.scale

    def _decode_group(self, latent: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 3, time, H, W)."""
        time, space = self.config.time, self.config.space
        blocks = rearrange(latent, "b c h w -> b h w c") / self.scale
        blocks = blocks.unflatten(-1, (3 * time, -1)) @ self.space_dct
        frequencies = rearrange(blocks, "b h w (c p) (q r) -> b c p (h q) (w r)", p=time, q=space, r=space)
        return _over_time(self.time_dct.T, self._lap(frequencies, self.lapping.T))

    def _lap(self, frequencies: Tensor, matrix: Tensor) -> Tensor:
        """Apply the border filter to both sides of every inner block border, first along W, then along H; in place."""
        if not self.config.lapped:
            return frequencies
        space, half = self.config.space, self.config.space // 2
        _mix_along(frequencies[..., half:-half], matrix)
        inner = frequencies[..., half:-half, :].unflatten(-2, (-1, space))
        inner.copy_(matrix @ inner)
        return frequencies

    def _check(self, video: Tensor, leads: bool) -> None:
        channels, frames, height, width = video.shape[1:]
        time, space = self.config.time, self.config.space
        if channels != 3 or (frames - leads) % time or height % space or width % space:
            raise ValueError(
                f"clip is {channels} x {frames} x {height} x {width}, the codec needs 3 channels, "
                f"{time}n{'+1' if leads else ''} frames and sides that are multiples of {space}; pad it first"
            )


def _over_time(matrix: Tensor, video: Tensor) -> Tensor:
    """Mix the frames of (B, 3, time, H, W) by a matrix (time, time)."""
    return (matrix @ video.flatten(3)).view(video.shape)


def _mix_along(rows: Tensor, matrix: Tensor) -> None:
    """Mix each `space` pixels of rows (..., n space) by a matrix (space, space), in place.

    Two times `space` at once where there are as many: products with so few columns take more than twice the time.
    """
    space = len(matrix)
    count = rows.shape[-1] // space
    start = 0
    for blocks, mixing in ((count // 2, torch.block_diag(matrix, matrix)), (count % 2, matrix)):
        part = rows.narrow(-1, start, blocks * len(mixing)).unflatten(-1, (blocks, len(mixing)))
        part.copy_(part @ mixing.T)
        start += blocks * len(mixing)
