"""The prior's encoder E, which turns video into latents on the DiT's token grid (DVFace, section 3.2).

B batch, T = p n + 1 frames of H W pixels; t = n + 1, h w token grid, d width. The first frame stands alone, each other
latent frame is of its own p frames, which is how Wan's VAE groups them; so a clip can be encoded group by group.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ...types import CheckCancelled, never_cancelled
from ..ops import Ops
from ..residual import ChannelNorm, ResidualBlock
from .config import EncoderScale, PriorConfig


class Downscale(nn.Module):
    """Gathers frames and pixels into channels and mixes them: (g f p) C (h q) (w q) -> (g f) C' h w."""

    def __init__(self, width_in: int, scale: EncoderScale, ops: Ops) -> None:
        super().__init__()
        self.time = scale.time
        self.conv = ops.Conv2d(width_in * scale.time, scale.width, scale.space, stride=scale.space)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(rearrange(x, "(g p) c h w -> g (p c) h w", p=self.time))


class PriorEncoder(nn.Module):
    """Encodes video (B, 3, p n + 1, H, W) in [-1, 1] as z_l (B, d, n + 1, h, w)."""

    def __init__(self, config: PriorConfig, ops: Ops) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = 3
        for scale in config.scales:
            layers += [Downscale(width, scale, ops), *(ResidualBlock(scale.width, ops) for _ in range(scale.blocks))]
            width = scale.width
        self.layers = nn.Sequential(*layers)
        self.norm = ChannelNorm(width, ops)
        self.project = ops.Conv2d(width, config.dim, 1)

    def forward(self, video: Tensor, check: CheckCancelled = never_cancelled) -> Tensor:
        """Return z_l. Groups of frames are encoded one after the other, so that memory does not grow with the clip.

        `check` is called before each group. Raises ValueError for a size that does not fit.
        """
        self._check_size(video)
        latents = []
        for group in frame_groups(video, self.config.time):
            check()
            latents.append(self._encode(group))
        return torch.stack(latents, dim=2)

    def _encode(self, group: Tensor) -> Tensor:
        """(B, 3, p, H, W) -> (B, d, h, w)."""
        weight = self.project.weight
        frames = rearrange(group, "b c p h w -> (b p) c h w")
        # A host's layers may fetch their weights when they run: frames on an accelerator are where they should be.
        device = weight.device if frames.device.type == "cpu" else frames.device
        x = frames.to(device, weight.dtype, memory_format=torch.channels_last)
        return self.project(F.silu(self.norm(self.layers(x))))

    def _check_size(self, video: Tensor) -> None:
        time, space = self.config.time, self.config.space
        if video.ndim != 5 or (video.shape[2] - 1) % time or video.shape[3] % space or video.shape[4] % space:
            raise ValueError(
                f"clip is {tuple(video.shape)}, the prior needs (B, 3, {time}n+1, H, W) with sides that are multiples "
                f"of {space}; pad it first"
            )


def frame_groups(video: Tensor, size: int) -> Iterator[Tensor]:
    """Yield the groups of a clip (B, C, size n + 1, H, W): the first frame `size` times, then `size` frames each."""
    yield video[:, :, :1].expand(-1, -1, size, -1, -1)
    for start in range(1, video.shape[2], size):
        yield video[:, :, start : start + size]
