"""A packed training set of aligned faces that are none, small enough for tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.burst.pack import encode
from training.burst.packed import HELD_OUT_EVERY, Pack

SIDE = 64


def smooth_picture(seed: int) -> Tensor:
    """(3, S, S) uint8 without fine detail."""
    small = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 200 + 20
    return torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bicubic")[0].round().clamp(0, 255).byte()


def tiny_pack(frames_of_clip: int = 8) -> Pack:
    """Portraits of as many people as make one held out, and a clip of each of two."""
    people = HELD_OUT_EVERY
    lengths = [1] * people + [frames_of_clip] * 2
    files = [encode(smooth_picture(number).permute(1, 2, 0).contiguous(), 90) for number in range(sum(lengths))]
    return Pack(
        np.frombuffer(b"".join(files), np.uint8),
        np.cumsum([len(data) for data in files]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.zeros((len(files), 5, 2), np.float16),
        np.array([*range(people), 0, people - 1]),
        "0" * 64,
    )
