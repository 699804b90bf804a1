"""A tiny prior and fusion with random weights, on the token grid of 4 frames and 16 pixels that Wan's DiT has."""

from __future__ import annotations

from typing import Any

import torch

from vfe.models.prior import EncoderScale, PredictorConfig, PriorConfig
from vfe.models.prior.fusion import FusionConfig, PriorAdapter

TINY_PRIOR = PriorConfig(
    dim=8,
    entries=16,
    heads=2,
    scales=(EncoderScale(width=6, time=2, space=4, blocks=1), EncoderScale(width=10, time=2, space=4, blocks=1)),
    predictor=PredictorConfig(width=12, heads=2, layers=2, ffn_dim=16),
)


def tiny_fusion(dim: int = 24, layers: int = 2) -> FusionConfig:
    return FusionConfig(dim=dim, layers=layers, prior_dim=TINY_PRIOR.dim, width=8, heads=2, hidden=16)


def tiny_adapter(fusion: FusionConfig | None = None, seed: int = 0) -> PriorAdapter:
    """Trained, as it were: nothing in it is zero."""
    torch.manual_seed(seed)
    adapter = PriorAdapter(TINY_PRIOR, fusion or tiny_fusion()).requires_grad_(False).eval()
    for parameter in adapter.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    return adapter


SMALL_PRIOR: dict[str, Any] = {
    "dim": 8,
    "entries": 16,
    "heads": 2,
    "scales": [{"width": 12, "time": 4, "space": 8, "blocks": 1}],
    "predictor": {"width": 12, "heads": 2, "layers": 1, "ffn_dim": 16},
}
