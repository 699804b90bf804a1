"""Tiny lite restorers with random weights, without and with a prior, and a clip for them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.lapped_codec import CodecConfig
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import EncoderScale, PredictorConfig, PriorConfig
from vfe.models.prior.fusion import FusionConfig

TINY_LITE = LiteConfig(
    dit=DiTConfig(
        in_channels=768, dim=32, heads=2, layers=2, ffn_dim=64, freq_dim=16, text_dim=8, patch=(1, 1, 1),
        window=(1, 4, 4), local_kernel=3,
    ),
    codec=CodecConfig(),
)  # fmt: skip


def tiny_lite(head: float = 0.0) -> LiteModel:
    """A tiny restorer; `head` is the spread of its head's weights, 0 the untrained model."""
    torch.manual_seed(0)
    net = LiteModel(TINY_LITE).eval().requires_grad_(False)
    assert isinstance(net.dit, WanDiT)
    if head:
        net.dit.head.head.weight.normal_(0, head)
    return net


def drifting_pattern(frames: int, height: int = 48, width: int = 40) -> Tensor:
    """A smooth pattern that drifts: (1, 3, T, H, W) in [-1, 1]."""
    t, y, x = torch.meshgrid(*(torch.arange(n).float() for n in (frames, height, width)), indexing="ij")
    return (
        torch.stack([torch.sin(0.2 * x + 0.1 * t), torch.cos(0.15 * y - 0.1 * t), torch.sin(0.1 * (x + y))])[None] * 0.8
    )


LITE_PRIOR = PriorConfig(
    dim=8,
    entries=16,
    heads=2,
    scales=(EncoderScale(width=12, time=4, space=8, blocks=1),),
    predictor=PredictorConfig(width=12, heads=2, layers=2, ffn_dim=16, window=(0, 4, 4)),
)


LITE_FUSION = FusionConfig(dim=32, layers=2, prior_dim=8, width=8, heads=2, hidden=16, window=(4, 4))


def tiny_lite_with_prior(spread: float = 0.05) -> LiteModel:
    """`tiny_lite(0.02)` with a prior; `spread` 0 leaves its fusion untrained."""
    plain = tiny_lite(0.02)
    net = LiteModel(replace(TINY_LITE, prior=LITE_PRIOR, fusion=LITE_FUSION)).eval().requires_grad_(False)
    net.dit, net.context, net.codec = plain.dit, plain.context, plain.codec
    assert net.fusion is not None
    for parameter in net.fusion.parameters():
        parameter.add_(spread * torch.randn_like(parameter))
    return net
