"""The prior on lite's path: read once a window of the whole frame and cut for its tiles; folded, and stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.lite_request import lite_request
from tests.support.tiny_lite import (
    LITE_FUSION,
    LITE_PRIOR,
    TINY_LITE,
    drifting_pattern,
    tiny_lite,
    tiny_lite_with_prior,
)
from vfe.loading.lite import load_lite_pipeline
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import Prior
from vfe.pipeline.one_step import OneStepPipeline, TileConfig, WindowConfig
from vfe.types import CheckCancelled, never_cancelled
from vfe.weights.lite import load_lite_model, save_lite_model

CPU = torch.device("cpu")


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
    low = drifting_pattern(9)
    assert torch.equal(
        OneStepPipeline(tiny_lite_with_prior(0)).restore(low), OneStepPipeline(tiny_lite(0.02)).restore(low)
    )


def test_a_trained_one_does() -> None:
    low = drifting_pattern(9)
    assert (
        OneStepPipeline(tiny_lite_with_prior()).restore(low) - OneStepPipeline(tiny_lite(0.02)).restore(low)
    ).abs().max() > 1e-3


def test_read_once_a_window_and_cut_for_its_tiles() -> None:
    net = tiny_lite_with_prior()
    net.__class__ = Watched
    assert isinstance(net, Watched)
    net.read, net.given = [], []
    pipeline = OneStepPipeline(net, WindowConfig(5, 1), TileConfig(128, 64))
    pipeline.restore(drifting_pattern(9, 128, 192))
    assert len(net.read) == 2
    assert len(net.given) == 4  # two windows, two tiles each
    for index, prior in enumerate(net.given):
        whole, left = net.read[index // 2], 8 * (index % 2)
        assert prior.pooled is whole.pooled
        assert torch.equal(prior.spatial, whole.spatial[:, :, :, left : left + 16])
        assert torch.equal(prior.temporal, whole.temporal[:, :, :, left : left + 16])


def test_folded_and_stored(tmp_path: Path) -> None:
    net, path, low = tiny_lite_with_prior(), tmp_path / "lite.safetensors", drifting_pattern(9)
    save_lite_model(path, net, {}, torch.float32)
    loaded = load_lite_model(path, CPU, torch.float32)
    assert loaded.config == net.config
    expected = OneStepPipeline(net).restore(low)
    assert (OneStepPipeline(loaded).restore(low) - expected).abs().max() < 1e-5
    folded = load_lite_pipeline(lite_request(path, torch.float32), WindowConfig())
    assert (folded.restore(low) - expected).abs().max() < 1e-4
    half = load_lite_pipeline(lite_request(path, torch.bfloat16), WindowConfig()).restore(low)
    assert (half - expected).abs().mean() < 0.02


def test_an_interrupt_is_asked_for_while_a_prior_is_read() -> None:
    net = tiny_lite_with_prior()

    class Stop(Exception): ...

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        net.read_prior(drifting_pattern(5), stop)
    assert net.read_prior(drifting_pattern(5), never_cancelled) is not None


def test_a_prior_and_its_fusion_come_together() -> None:
    with pytest.raises(ValueError, match="give both or none"):
        LiteConfig(dit=TINY_LITE.dit, codec=TINY_LITE.codec, prior=LITE_PRIOR)
    with pytest.raises(ValueError, match="fusion is of dim 64"):
        LiteConfig(dit=TINY_LITE.dit, codec=TINY_LITE.codec, prior=LITE_PRIOR, fusion=replace(LITE_FUSION, dim=64))
