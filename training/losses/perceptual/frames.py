"""A distance of images as a loss of video, a few frames at a time.

B batch, T H W frames, N images of a chunk.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class FrameLoss(nn.Module):
    """Mean over all frames of `distance`, a module of two batches of images (N, 3, H, W) in [0, 1] -> their mean.

    One chunk's activations are held at a time: where gradients are asked for, those of a chunk are computed again in
    the backward pass. Always in float32, as differences of features near convergence vanish in bfloat16.
    """

    def __init__(self, distance: nn.Module, chunk: int = 4) -> None:
        super().__init__()
        self.distance, self.chunk = distance, chunk

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Scalar loss of two videos (B, 3, T, H, W) in [-1, 1]; the target gets no gradient."""
        if prediction.shape != target.shape:
            raise ValueError(f"videos are {tuple(prediction.shape)} and {tuple(target.shape)}, needed the same shape")
        images = rearrange(prediction.float() / 2 + 0.5, "b c t h w -> (b t) c h w")
        wanted = rearrange(target.detach().float() / 2 + 0.5, "b c t h w -> (b t) c h w")
        total = images.new_zeros(())
        with torch.autocast(prediction.device.type, enabled=False):
            for a, b in zip(images.split(self.chunk), wanted.split(self.chunk), strict=True):
                total = total + len(a) * self._chunk_mean(a, b)
        return total / len(images)

    def _chunk_mean(self, prediction: Tensor, target: Tensor) -> Tensor:
        if not (torch.is_grad_enabled() and prediction.requires_grad):
            mean: Tensor = self.distance(prediction, target)
            return mean
        again: Tensor = checkpoint(self.distance, prediction, target, use_reentrant=False, preserve_rng_state=False)
        return again
