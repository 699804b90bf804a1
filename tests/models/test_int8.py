"""Linear layers in int8: near those in float32, where they are asked for, and on the bundled model within 45 dB."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import vfe
from tests.support.lite_request import lite_request
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.library.find import find_model
from vfe.loading.lite import load_face_pipeline, load_lite_pipeline
from vfe.models.dit.int8 import Int8Linear, has_fast_int8
from vfe.models.lite import LiteModel
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.weights.lite import save_lite_model

pytestmark = pytest.mark.skipif(not has_fast_int8(), reason="this build of torch has no fast int8")


def decibels(result: Tensor, expected: Tensor) -> float:
    """The power of what is expected over that of the error."""
    return float(10 * (expected.square().mean() / (result - expected).square().mean()).detach().log10())


def int8_layers(pipeline: OneStepPipeline) -> int:
    assert isinstance(pipeline.model, LiteModel)
    return sum(isinstance(module, Int8Linear) for module in pipeline.model.modules())


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_is_near_that_in_float32(bias: bool) -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(96, 40, bias=bias), torch.randn(2, 50, 96)
    result = Int8Linear(linear)(x)
    assert result.shape == (2, 50, 40)
    assert decibels(result, linear(x)) > 28


def test_a_scale_for_each_output_keeps_small_weights() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(64, 2, bias=False)
    linear.weight.data[0] *= 1e-4
    x = torch.randn(100, 64)
    assert decibels(Int8Linear(linear)(x)[:, 0], linear(x)[:, 0]) > 25


def test_weights_of_zero_stay_zero() -> None:
    linear = nn.Linear(8, 4)
    nn.init.zeros_(linear.weight)
    torch.testing.assert_close(Int8Linear(linear)(torch.randn(3, 8)), linear.bias.expand(3, 4), atol=1e-6, rtol=0)


def test_int8_is_for_requests_that_allow_it_in_float32_alone(tmp_path: Path) -> None:
    path = tmp_path / "lite.safetensors"
    save_lite_model(path, tiny_lite(0.02), {}, torch.float32)
    for dtype, quantises, expected in (
        (torch.float32, True, True),
        (torch.float32, False, False),
        (torch.bfloat16, True, False),
    ):
        pipeline = load_lite_pipeline(lite_request(path, dtype, quantises=quantises), WindowConfig())
        assert (int8_layers(pipeline) > 0) is expected


def test_an_asked_for_dtype_is_kept() -> None:
    pipeline = vfe.load("lite", device="cpu", dtype="fp32").pipeline
    assert isinstance(pipeline, OneStepPipeline)
    assert int8_layers(pipeline) == 0


def test_the_bundled_model_is_within_45_dB_of_float32() -> None:
    path, video = find_model("lite"), drifting_pattern(9)
    exact, fast = (
        load_lite_pipeline(lite_request(path, torch.float32, quantises=quantises), WindowConfig()).restore(video)
        for quantises in (False, True)
    )
    change = (exact - video).square().mean()
    assert change > 1e-5  # else nothing would be compared
    assert 10 * (4 / (fast - exact).square().mean()).log10() > 45


def test_the_part_for_faces_is_within_45_dB_too() -> None:
    path = find_model("lite_faces")
    torch.manual_seed(0)
    coarse = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    video = torch.nn.functional.interpolate(coarse, (5, 256, 256), mode="trilinear")
    exact, fast = (
        load_face_pipeline(path, lite_request(path, torch.float32, quantises=quantises)).restore(video)
        for quantises in (False, True)
    )
    assert 10 * (4 / (fast - exact).square().mean()).log10() > 45
