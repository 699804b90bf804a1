"""The restored latent of a window of frames, tile by tile, and masks of strength on its grid.

B batch, C channels, T H W pixel frames, t h w latent ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor

from .tiling import Span, fade_weights


@dataclass(frozen=True)
class TileLatent:
    """The restored latent of a rectangle of the padded frame."""

    rows: Span  # in pixels of the padded frame
    columns: Span
    z_hq: Tensor  # (B, C, t, h, w)


@dataclass(frozen=True)
class WindowLatent:
    """The restored latent of a window: one tile where the frame was restored whole."""

    frames: int
    """The number of frames that came in. The latent stands for more where they were padded."""
    frame_shape: tuple[int, ...]
    """The shape of a frame that came in: (3, H, W) or (B, 3, H, W)."""
    rows: tuple[Span, ...]
    """The rows of each row of tiles, in pixels of the padded frame."""
    columns: tuple[Span, ...]
    """The columns of each column of tiles, in pixels of the padded frame."""
    tiles: tuple[TileLatent, ...] = ()
    """The latents of the tiles, row by row."""

    @property
    def height(self) -> int:
        """The height of a frame that came in, in pixels."""
        return self.frame_shape[-2]

    @property
    def width(self) -> int:
        """The width of a frame that came in, in pixels."""
        return self.frame_shape[-1]

    def weight(self, tile: TileLatent) -> Tensor:
        """Return the weight of each pixel of a tile, (rows, columns), by which it is cross-faded with its neighbours.

        The sum of the weights of all tiles has to be divided by: it is not 1 where four tiles meet.
        """
        down, across = self.rows.index(tile.rows), self.columns.index(tile.columns)
        return torch.outer(fade_weights(self.rows, down), fade_weights(self.columns, across))

    def to(self, device: torch.device | str) -> WindowLatent:
        """Return the same with its latents on `device`."""
        return replace(self, tiles=tuple(replace(tile, z_hq=tile.z_hq.to(device)) for tile in self.tiles))


def latent_mask(mask: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Return a mask (T, H, W) on a latent grid (t, h, w): its mean over the pixels of each latent, (1, 1, t, h, w).

    The first latent is the first frame alone; each other one is of (T - 1) / (t - 1) frames.
    """
    frames, height, width = mask.shape
    t, h, w = grid
    assert (frames - 1) % max(t - 1, 1) == 0 and height % h == 0 and width % w == 0  # of padded clips
    space = reduce(mask, "f (h a) (w b) -> f h w", "mean", h=h, w=w)
    rest = reduce(space[1:], "(t f) h w -> t h w", "mean", t=t - 1) if t > 1 else space[1:]
    return rearrange(torch.cat([space[:1], rest]), "t h w -> 1 1 t h w")


def padded_mask(mask: Tensor, frames: list[Tensor], clip: Tensor) -> Tensor:
    """Pad a mask (H, W) or (T, H, W) of frames as the clip (B, 3, T', H', W') made of them: (T', H', W').

    Raises ValueError where it is not of the frames' size.
    """
    shape = (len(frames), *frames[0].shape[-2:])
    if tuple(mask.shape) not in (shape, shape[1:]):
        raise ValueError(f"mask is {tuple(mask.shape)}, needed {shape} or {shape[1:]}: as the frames are")
    right, bottom, after = (clip.shape[axis] - shape[axis - 2] for axis in (4, 3, 2))
    padded = F.pad(mask.float().expand(shape)[None], (0, right, 0, bottom), mode="replicate")[0]
    return torch.cat([padded, padded[-1:].expand(after, -1, -1)])
