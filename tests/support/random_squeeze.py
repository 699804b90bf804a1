"""SqueezeNet 1.1 with LPIPS's heads, of random weights."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.perceptual.squeeze import FIRE_PAIRS, LAST_FIRES, TAP_COUNT


def random_squeeze() -> dict[str, Tensor]:
    """SqueezeNet 1.1 of random weights."""
    torch.manual_seed(0)
    weights = {"conv1.weight": torch.randn(64, 3, 3, 3) * 0.1, "conv1.bias": torch.zeros(64)}
    width = 64
    sizes = dict(
        zip(
            ("fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9"),
            (16, 16, 32, 32, 48, 48, 64, 64),
            strict=True,
        )
    )
    taps = [64]
    for name in (*FIRE_PAIRS[0], *FIRE_PAIRS[1], *LAST_FIRES):
        narrow, half = sizes[name], sizes[name] * 4
        for part, shape in (
            ("squeeze1x1", (narrow, width, 1, 1)),
            ("expand1x1", (half, narrow, 1, 1)),
            ("expand3x3", (half, narrow, 3, 3)),
        ):
            weights[f"{name}/{part}.weight"] = torch.randn(shape) * (2 / (shape[1] * shape[2] ** 2)) ** 0.5
            weights[f"{name}/{part}.bias"] = torch.zeros(shape[0])
        width = 2 * half
        if name in ("fire3", "fire5", *LAST_FIRES):
            taps.append(width)
    return weights | {f"head.{index}": torch.ones(taps[index]) / taps[index] for index in range(TAP_COUNT)}
