"""A model that sees the original: the second latent, which comes after the first in the channels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.tiny_dit import TIMESTEP, padded_prompt, tiny_config
from tests.support.tiny_lite import drifting_pattern
from training.lite.net import restore_video, seeing_original
from vfe.models.dit.folded import fold
from vfe.models.dit.model import WanDiT
from vfe.models.dit.pyramid import PyramidScale
from vfe.models.lapped_codec import CodecConfig
from vfe.models.lite import LiteConfig, LiteModel
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.types import never_cancelled
from vfe.weights.lite import load_lite_model, save_lite_model

CODEC = CodecConfig(time=4, space=4)
SCALES = (PyramidScale(width=8), PyramidScale(width=12, space=2))
CONFIG = LiteConfig(
    dit=tiny_config(in_channels=CODEC.channels, pyramid=SCALES, patch=(1, 2, 2), window=(1, 0, 0)), codec=CODEC
)


def random_lite(sees_original: bool) -> LiteModel:
    """A model all of whose weights are random, so that all of what comes in matters."""
    torch.manual_seed(1)
    net = LiteModel(replace(CONFIG, dit=replace(CONFIG.dit, sees_original=sees_original))).eval()
    for parameter in net.parameters():
        parameter.data.normal_(0, 0.1)
    return net.requires_grad_(False)


def test_both_latents_matter() -> None:
    net = random_lite(sees_original=True)
    z_lq, z_original = torch.randn(2, 1, CODEC.channels, 2, 8, 8).unbind(0)
    both = net(torch.cat([z_lq, z_original], 1))
    assert both.shape == z_lq.shape
    assert not torch.allclose(both, net(torch.cat([z_lq, 0 * z_original], 1)), atol=1e-3)
    assert torch.equal(net(z_lq), net(torch.cat([z_lq, z_lq], 1)))


def test_aligned_faces_keep_small_changes_where_they_are_flat() -> None:
    """Which frames lose: of a face they are the texture of skin."""
    z = torch.zeros(1, CODEC.channels, 2, 8, 8)
    for sees_original in (True, False):
        net = random_lite(sees_original)
        seen = torch.cat([z, z], 1) if sees_original else z
        assert torch.equal(net.velocity(seen, never_cancelled), net(seen)) == sees_original


def test_folding_keeps_the_second_latent() -> None:
    config = tiny_config(pyramid=SCALES, patch=(1, 2, 2), sees_original=True)
    torch.manual_seed(0)
    dit, prompt = WanDiT(config).eval(), padded_prompt(1, 4, 16)
    for parameter in dit.parameters():
        parameter.data.normal_(0, 0.1)
    z = torch.randn(1, 8, 2, 8, 8)
    with torch.no_grad():
        expected = dit(z, TIMESTEP, prompt)
        torch.testing.assert_close(fold(dit, TIMESTEP, prompt)(z), expected, rtol=1e-3, atol=1e-4)


def test_a_restorer_that_begins_to_see_restores_as_before(tmp_path: Path) -> None:
    plain = random_lite(sees_original=False)
    seeing = seeing_original(plain)
    assert seeing.sees_original
    assert not plain.sees_original
    video, original = drifting_pattern(5, 32, 32), torch.rand(1, 3, 5, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(restore_video(seeing, video, original), restore_video(plain, video))
    save_lite_model(tmp_path / "seeing.safetensors", seeing, {}, torch.float32)
    assert load_lite_model(tmp_path / "seeing.safetensors", torch.device("cpu"), torch.float32).sees_original
    assert seeing_original(seeing) is seeing


def test_the_pipeline_gives_the_original_to_the_model() -> None:
    """Windows of frames with their originals are what the equation gives of both latents, in the shape of frames."""
    net = random_lite(sees_original=True)
    video, original = drifting_pattern(5, 32, 32), drifting_pattern(9, 32, 32)[:, :, 4:]
    frames = list(torch.cat([video, original], 1)[0].unbind(1))
    restored = OneStepPipeline(net, WindowConfig(5, 1)).restore_window(frames, 1.0, never_cancelled)
    expected = restore_video(net, video, original).clamp(-1, 1)
    assert restored[0].shape == (3, 32, 32)
    torch.testing.assert_close(torch.stack(restored, 1)[None], expected, rtol=0, atol=1e-5)
    assert not torch.allclose(expected, restore_video(net, video), atol=1e-3)


def test_only_a_pyramid_takes_two_latents() -> None:
    with pytest.raises(ValueError, match="sees_original needs a pyramid"):
        tiny_config(sees_original=True)
