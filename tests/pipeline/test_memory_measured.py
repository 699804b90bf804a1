"""What the planner foretells against what is allocated: activations and frames; the bytes of weights are known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from benchmarks.traffic import peak_bytes as measured_peak
from tests.support.tiny_dit import padded_prompt, random_dit
from tests.support.tiny_vae import random_vae
from vfe.device import cpu_has_bf16
from vfe.models.dit.folded import fold
from vfe.models.dit.fp8 import store_fp8
from vfe.models.dit.model import DiTConfig
from vfe.models.flow import OneStepFlow
from vfe.models.wan import ConditionedDiT, WanCompute, WanModel
from vfe.models.wan_vae import VAEPlan, WanVAEConfig
from vfe.pipeline.memory_plan import WanSizes, dit_bytes, latent_shape, peak_bytes
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.types import VideoShape

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
VAE = WanVAEConfig(dim=16)
WINDOW, WIDE = WindowConfig(17, 5), VideoShape(17, 64, 384)
"""Wide frames, so that they can be cut into tiles, and few pixels."""


def dit_config(dim: int = 256, ffn_dim: int = 1024) -> DiTConfig:
    return DiTConfig(dim=dim, heads=dim // 128, layers=2, ffn_dim=ffn_dim, freq_dim=32, text_dim=64)


def sizes_of(config: DiTConfig, dtype: torch.dtype, fp8: bool = False) -> WanSizes:
    return WanSizes(dit=config, vae=VAE, compute=WanCompute(CPU, dtype, fp8), block_bytes=0, fixed_bytes=0)


def restorer(config: DiTConfig, dtype: torch.dtype) -> WanModel:
    dit = fold(random_dit(config), 400.0, padded_prompt(1, 512, config.text_dim), dtype)
    return WanModel(dit, random_vae(VAE).to(dtype), OneStepFlow(), WanCompute(CPU, dtype))


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each thread of an attention on a CPU has memory of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def frames_of(count: int, height: int, width: int) -> Iterator[Tensor]:
    """Made when they are asked for, so that they are measured too."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        yield torch.rand(3, height, width, generator=generator) * 2 - 1


@pytest.mark.parametrize(
    ("latents", "tile", "dtype"), [(4, None, torch.bfloat16), (1, None, torch.float32), (1, 16, torch.float32)]
)
def test_from_frames_to_frames(latents: int, tile: int | None, dtype: torch.dtype) -> None:
    """Two windows: in the second one, the frames of the first are still there."""
    if dtype == torch.bfloat16 and not cpu_has_bf16():
        pytest.skip("this CPU has no convolutions in bf16: PyTorch unfolds them, and no plan has them")
    config, plan = dit_config(), VAEPlan(latents_per_step=latents, tile=tile, winograd=True)
    model = restorer(config, dtype)
    model.codec.plan = plan
    model.keep_resident(config.layers)
    pipeline = OneStepPipeline(model, WINDOW, tile=None)

    def run(frames: int, height: int, width: int) -> None:
        assert sum(1 for _ in pipeline.stream(frames_of(frames, height, width))) == frames

    run(1, 16, 16)  # kernels are derived once
    measured = measured_peak(lambda: run(WINDOW.frames + 1, *WIDE[1:]))
    foretold = peak_bytes(sizes_of(config, dtype), WIDE, plan, config.layers)
    assert measured <= foretold <= 2 * measured


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", ["folded", "conditioned", "fp8"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("dim", "ffn_dim"), [(384, 512), (256, 1536)])
def test_the_transformer(kind: str, dtype: torch.dtype, dim: int, ffn_dim: int) -> None:
    """Where attention needs the most, and where the feed-forward does, as in Wan."""
    config = dit_config(dim, ffn_dim)
    dit, prompt = random_dit(config), padded_prompt(2, 512, config.text_dim)
    folded = kind != "conditioned"
    model = fold(dit, 400.0, prompt, dtype) if folded else ConditionedDiT(dit.to(dtype), 400.0, prompt.to(dtype))
    if kind == "fp8":
        store_fp8(model.blocks)
    sizes = sizes_of(config, dtype, kind == "fp8")
    latents = latent_shape(sizes, VideoShape(17, 224, 256))
    z = torch.zeros(1, 16, *latents, dtype=dtype)
    with torch.inference_mode():
        measured = measured_peak(lambda: model(z))
    assert measured <= dit_bytes(sizes, latents) <= 1.5 * measured
