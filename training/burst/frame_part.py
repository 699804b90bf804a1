"""The part of the bundled model that restores whole frames, as the part for faces meets its results.

B batch, T frames, H W sides; clips are (B, T, 3, H, W) in levels of 255.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vfe.models.lite import LiteModel

from ..lite.net import restore_video


class FramePart:
    """Restores clips of 4n + 1 frames, whose sides are multiples of 8."""

    def __init__(self, net: LiteModel) -> None:
        self.net = net.eval()

    @torch.no_grad()
    def __call__(self, video: Tensor) -> Tensor:
        """The restored clips, in whole levels."""
        with torch.autocast(video.device.type, torch.bfloat16):
            restored = restore_video(self.net, (video / 127.5 - 1).transpose(1, 2).contiguous())
        return (restored.float().transpose(1, 2) * 127.5 + 127.5).round().clamp(0, 255)
