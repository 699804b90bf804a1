"""Prior decoder D: quantised latents to video, the encoder's scales the other way round (DVFace, section 3.4).

B batch, t h w token grid, d width; T = p (t - 1) + 1 frames of H W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vfe.models.ops import TORCH_OPS
from vfe.models.prior import EncoderScale, PriorConfig
from vfe.models.residual import ChannelNorm, ResidualBlock


class Upscale(nn.Module):
    """The inverse layout of the encoder's `Downscale`: (g f) C h w -> (g f p) C' (h q) (w q)."""

    def __init__(self, scale: EncoderScale, width_out: int) -> None:
        super().__init__()
        self.time, self.space = scale.time, scale.space
        self.conv = nn.Conv2d(scale.width, width_out * scale.time * scale.space**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        layout = "g (p c q r) h w -> (g p) c (h q) (w r)"
        return rearrange(self.conv(x), layout, p=self.time, q=self.space, r=self.space)


class PriorDecoder(nn.Module):
    """The decoder D: quantised latents z_q (B, d, t, h, w) to video (B, 3, p (t - 1) + 1, H, W)."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.time = config.time
        scales = config.scales[::-1]
        layers: list[nn.Module] = [nn.Conv2d(config.dim, scales[0].width, 3, padding=1)]
        for scale, width in zip(scales, [*(finer.width for finer in scales[1:]), 0], strict=True):
            layers += [ResidualBlock(scale.width, TORCH_OPS) for _ in range(scale.blocks)]
            if width:
                layers.append(Upscale(scale, width))
        self.layers = nn.Sequential(*layers)
        self.norm = ChannelNorm(scales[-1].width, TORCH_OPS)
        self.pixels = Upscale(scales[-1], 3)

    def forward(self, z: Tensor) -> Tensor:
        x = rearrange(z, "b d t h w -> (b t) d h w").contiguous(memory_format=torch.channels_last)
        frames = self.pixels(F.silu(self.norm(self.layers(x))))
        video = rearrange(frames, "(b t) c h w -> b c t h w", b=len(z))
        return video[:, :, self.time - 1 :]  # the first latent frame is one frame, repeated
