"""The restored latent of a window of frames, tile by tile, and strength maps on its grid.

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
    """z_hq of a part of the padded frame."""

    rows: Span
    columns: Span
    z_hq: Tensor  # (B, C, t, h, w)


@dataclass(frozen=True)
class WindowLatent:
    """z_hq of a window; one tile where the frame was restored whole."""

    frames: int
    """Of the window, as they came in; the latent's are more by padding."""
    frame_shape: tuple[int, ...]
    """Of one of them: (3, H, W) or (B, 3, H, W)."""
    rows: tuple[Span, ...]
    """Of the tiles, in pixels of the padded frame."""
    columns: tuple[Span, ...]
    tiles: tuple[TileLatent, ...] = ()
    """Row by row."""

    @property
    def height(self) -> int:
        return self.frame_shape[-2]

    @property
    def width(self) -> int:
        return self.frame_shape[-1]

    def weight(self, tile: TileLatent) -> Tensor:
        """Of each pixel of a tile, to cross-fade it with its neighbours: divide by the sum over all tiles."""
        down, across = self.rows.index(tile.rows), self.columns.index(tile.columns)
        return torch.outer(fade_weights(self.rows, down), fade_weights(self.columns, across))

    def to(self, device: torch.device | str) -> WindowLatent:
        """The same with its latents on `device`."""
        return replace(self, tiles=tuple(replace(tile, z_hq=tile.z_hq.to(device)) for tile in self.tiles))


def latent_mask(mask: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """A map (T, H, W) on a latent grid (t, h, w): the mean over the pixels and frames of each latent, (1, 1, t, h, w).

    The first latent is the first frame alone; each other one is of (T - 1) / (t - 1) frames.
    """
    frames, height, width = mask.shape
    t, h, w = grid
    assert (frames - 1) % max(t - 1, 1) == 0 and height % h == 0 and width % w == 0  # of padded clips
    space = reduce(mask, "f (h a) (w b) -> f h w", "mean", h=h, w=w)
    rest = reduce(space[1:], "(t f) h w -> t h w", "mean", t=t - 1) if t > 1 else space[1:]
    return rearrange(torch.cat([space[:1], rest]), "t h w -> 1 1 t h w")


def padded_mask(mask: Tensor, frames: list[Tensor], clip: Tensor) -> Tensor:
    """A map (H, W) or (T, H, W) of frames, padded as the clip (B, 3, T', H', W') that was made of them: (T', H', W').

    Raises ValueError where it is not of the frames' size.
    """
    shape = (len(frames), *frames[0].shape[-2:])
    if tuple(mask.shape) not in (shape, shape[1:]):
        raise ValueError(f"mask is {tuple(mask.shape)}, needed {shape} or {shape[1:]}: as the frames are")
    right, bottom, after = (clip.shape[axis] - shape[axis - 2] for axis in (4, 3, 2))
    padded = F.pad(mask.float().expand(shape)[None], (0, right, 0, bottom), mode="replicate")[0]
    return torch.cat([padded, padded[-1:].expand(after, -1, -1)])
