"""The part of the bundled model that restores whole frames, as the part for faces meets its results.

B batch, T frames, H W sides; clips are (B, T, 3, H, W) in levels of 255.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import vfe
from vfe.models.lite import LiteModel
from vfe.weights.lite import load_lite_model

from ..lite.net import restore_video
from .precision import fast_autocast

BUNDLED = Path(vfe.__file__).parent / "assets" / "lite.safetensors"


class FramePart:
    """Restores clips of 4n or 4n + 1 frames, whose sides are multiples of 8."""

    def __init__(self, net: LiteModel) -> None:
        self.net = net.eval()

    @torch.no_grad()
    def __call__(self, video: Tensor) -> Tensor:
        """The restored clips, in whole levels."""
        with fast_autocast(video.device):
            restored = restore_video(self.net, (video / 127.5 - 1).transpose(1, 2).contiguous())
        return (restored.float().transpose(1, 2) * 127.5 + 127.5).round().clamp(0, 255)


def load_frame_part(path: Path, device: torch.device) -> FramePart:
    """Load the part for frames from a lite file. Raises VFEError where it is none."""
    return FramePart(load_lite_model(path, device, torch.float32))
