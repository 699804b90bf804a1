"""Face masks at latent resolution (VividFace, section 3.2, eq. 4 and 5).

B batch, T H W frames, t h w latent grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor


def align_mask(mask: Tensor, time: int = 4, space: int = 8) -> Tensor:
    """A face mask at the resolution of the latents: (B, T, H, W) -> (B, 1, n + 1, H / space, W / space), T = time n +
    1.

    Nearest-neighbour downsampling in space; in time frame 0 stands alone, then the maximum over each following group.
    The one channel is to be repeated over those of the latents. Raises ValueError where T or the sides do not fit.
    """
    _, frames, height, width = mask.shape
    if (frames - 1) % time or height % space or width % space:
        raise ValueError(
            f"mask is {frames} x {height} x {width}, needed {time}n+1 frames and sides that are multiples of {space}"
        )
    small = F.interpolate(mask, scale_factor=1 / space, mode="nearest")
    rest = reduce(small[:, 1:], "b (t p) h w -> b t h w", "max", p=time)
    return rearrange(torch.cat([small[:, :1], rest], dim=1), "b t h w -> b 1 t h w")
