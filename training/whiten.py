"""The codec's scale: one over the spread of each coefficient on clean training clips."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vfe.models.codec import LappedCodec

from .data import DataConfig, camera_motion, list_items, read_frames, read_masks

SAMPLES = 32
SIDE = 256
FLOOR = 2e-3  # half a grey level: finer coefficients are rounding noise of 8-bit video


@torch.no_grad()
def measure_scale(codec: LappedCodec, config: DataConfig) -> Tensor:
    """(C,) scale that gives each coefficient unit variance over a fixed sample of the training set."""
    items = list_items(config)
    rng = np.random.default_rng(0)
    time, space, frames = codec.config.time, codec.config.space, 4 * codec.config.time + 1
    squares, total = torch.zeros(codec.config.channels), 0
    for index in rng.permutation(len(items))[:SAMPLES]:
        item = items[index]
        clip = read_frames(item.path)
        if item.is_image:
            clip, _ = camera_motion(clip[0].permute(2, 0, 1), read_masks(None, 1, *clip.shape[1:3])[0], frames, rng)
        height, width = (min(size, SIDE) // space * space for size in clip.shape[1:3])
        clip = clip[: (min(len(clip), frames) - 1) // time * time + 1, :height, :width]
        video = clip.permute(3, 0, 1, 2)[None].float() / 127.5 - 1
        latent = codec.encode(video)[:, :, 1:] / codec.scale.view(1, -1, 1, 1, 1)  # the first frame is a group alone
        squares += latent.square().sum((0, 2, 3, 4))
        total += latent[0, 0].numel()
    return 1 / (squares / total).sqrt().clamp(min=FLOOR)
