"""The prior on lite's path: read once a window of the whole frame and cut for its tiles; folded, and stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.pipeline.test_one_step import CONFIG, clip
from tests.pipeline.test_one_step import model as plain_model
from vfe.loading.lite import load_lite_pipeline
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import EncoderScale, PredictorConfig, Prior, PriorConfig
from vfe.models.prior.fusion import FusionConfig
from vfe.pipeline.one_step import OneStepPipeline, TileConfig, WindowConfig
from vfe.types import CheckCancelled, never_cancelled
from vfe.weights.lite import load_lite_model, save_lite_model

CPU = torch.device("cpu")
PRIOR = PriorConfig(
    dim=8,
    entries=16,
    heads=2,
    scales=(EncoderScale(width=12, time=4, space=8, blocks=1),),
    predictor=PredictorConfig(width=12, heads=2, layers=2, ffn_dim=16, window=(0, 4, 4)),
)
FUSION = FusionConfig(dim=32, layers=2, prior_dim=8, width=8, heads=2, hidden=16, window=(4, 4))


def model(spread: float = 0.05) -> LiteModel:
    """`test_pipeline`'s restorer with a prior; `spread` 0 leaves its fusion untrained."""
    plain = plain_model(0.02)
    net = LiteModel(replace(CONFIG, prior=PRIOR, fusion=FUSION)).eval().requires_grad_(False)
    net.dit, net.context, net.codec = plain.dit, plain.context, plain.codec
    assert net.fusion is not None
    for parameter in net.fusion.parameters():
        parameter.add_(spread * torch.randn_like(parameter))
    return net


class Watched(LiteModel):
    """Keeps the priors that it read and was given."""

    read: list[Prior]
    given: list[Prior]

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        prior = super().read_prior(video, check)
        assert prior is not None
        self.read.append(prior)
        return prior

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        assert prior is not None
        self.given.append(prior)
        return super().velocity(z_lq, check, prior)


def test_an_untrained_fusion_changes_no_bit() -> None:
    low = clip(9)
    assert torch.equal(OneStepPipeline(model(0)).restore(low), OneStepPipeline(plain_model(0.02)).restore(low))


def test_a_trained_one_does() -> None:
    low = clip(9)
    assert (OneStepPipeline(model()).restore(low) - OneStepPipeline(plain_model(0.02)).restore(low)).abs().max() > 1e-3


def test_read_once_a_window_and_cut_for_its_tiles() -> None:
    net = model()
    net.__class__ = Watched
    assert isinstance(net, Watched)
    net.read, net.given = [], []
    pipeline = OneStepPipeline(net, WindowConfig(5, 1), TileConfig(128, 64))
    pipeline.restore(clip(9, 128, 192))
    assert len(net.read) == 2 and len(net.given) == 4  # two windows, two tiles each
    for index, prior in enumerate(net.given):
        whole, left = net.read[index // 2], 8 * (index % 2)
        assert prior.pooled is whole.pooled
        assert torch.equal(prior.spatial, whole.spatial[:, :, :, left : left + 16])
        assert torch.equal(prior.temporal, whole.temporal[:, :, :, left : left + 16])


def test_folded_and_stored(tmp_path: Path) -> None:
    net, path, low = model(), tmp_path / "lite.safetensors", clip(9)
    save_lite_model(path, net, {}, torch.float32)
    loaded = load_lite_model(path, CPU, torch.float32)
    assert loaded.config == net.config
    expected = OneStepPipeline(net).restore(low)
    assert (OneStepPipeline(loaded).restore(low) - expected).abs().max() < 1e-5
    folded = load_lite_pipeline(path, CPU, torch.float32, WindowConfig())
    assert (folded.restore(low) - expected).abs().max() < 1e-4
    half = load_lite_pipeline(path, CPU, torch.bfloat16, WindowConfig()).restore(low)
    assert (half - expected).abs().mean() < 0.02


def test_an_interrupt_is_asked_for_while_a_prior_is_read() -> None:
    net = model()

    class Stop(Exception): ...

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        net.read_prior(clip(5), stop)
    assert net.read_prior(clip(5), never_cancelled) is not None


def test_a_prior_and_its_fusion_come_together() -> None:
    with pytest.raises(ValueError, match="give both or none"):
        LiteConfig(dit=CONFIG.dit, codec=CONFIG.codec, prior=PRIOR)
    with pytest.raises(ValueError, match="fusion is of dim 64"):
        LiteConfig(dit=CONFIG.dit, codec=CONFIG.codec, prior=PRIOR, fusion=replace(FUSION, dim=64))
