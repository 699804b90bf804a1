"""DVFace's prior on the Wan path, from files to frames: with an adapter, untrained ones, and those of another DiT."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from tests.support.tiny_prior import TINY_PRIOR, tiny_adapter, tiny_fusion
from tests.support.wan_restorer_files import NOISE_VIDEO, WanRestorerFiles, restore_video
from tests.support.weight_layouts import TINY_DIT
from vfe.models.dit.model import DiTConfig
from vfe.models.prior import PriorConfig
from vfe.models.prior.fusion import PriorAdapter
from vfe.models.wan import WanCompute
from vfe.models.wan_vae import WanVAEConfig
from vfe.pipeline.memory_aware import MemoryAwarePipeline
from vfe.pipeline.memory_plan import WanSizes, prior_bytes
from vfe.types import VFEError, VideoShape
from vfe.weights.adapter import write_adapter
from vfe.weights.prompt import read_prompt_embedding
from vfe.weights.recognise import recognise

FUSION = tiny_fusion(TINY_DIT.dim, TINY_DIT.layers)


@pytest.fixture
def files(tmp_path: Path) -> WanRestorerFiles:
    return WanRestorerFiles(tmp_path / "models")


def written(files: WanRestorerFiles, adapter: PriorAdapter) -> Path:
    path = files.folder / "adapter.safetensors"
    write_adapter(path, adapter, {}, torch.float32)
    return path


def by_hand(files: WanRestorerFiles, adapter: PriorAdapter, video: Tensor) -> Tensor:
    """z_hq = z_lq - v(z_lq, t*, c, f_s, f_t)."""
    z, context = files.codec.encode(video), read_prompt_embedding(files.context, TINY_DIT.text_dim)
    with torch.no_grad():
        v = files.network(z, 400.0, context, adapter.fusion(adapter.prior(video)))
    return files.codec.decode(z - v)


@pytest.mark.parametrize("fold", [True, False])
def test_with_an_adapter_the_priors_are_in_the_velocity(files: WanRestorerFiles, fold: bool) -> None:
    adapter = tiny_adapter(FUSION)
    restored = restore_video(files.load(adapter=written(files, adapter), fold=fold))
    assert (restored - by_hand(files, adapter, NOISE_VIDEO)).abs().max() < 1e-4
    assert (restored - files.by_hand(NOISE_VIDEO)).abs().max() > 1e-2


def test_an_untrained_adapter_changes_no_bit(files: WanRestorerFiles) -> None:
    path = written(files, PriorAdapter(TINY_PRIOR, FUSION))
    assert torch.equal(restore_video(files.load(adapter=path)), restore_video(files.load()))


def test_an_adapter_of_another_dit_is_refused(files: WanRestorerFiles) -> None:
    path = written(files, tiny_adapter(replace(FUSION, dim=2 * TINY_DIT.dim)))
    with pytest.raises(VFEError, match="needed the adapter that was trained with this DiT") as caught:
        files.load(adapter=path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_adapter(files: WanRestorerFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "in.mp4", Clip(frames=2, width=32, height=32))
    run = run_vfe(
        capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", files.dit, "--vae", files.vae,
        "--context", files.context, "--adapter", files.vae, "--device", "cpu",
    )  # fmt: skip
    assert_one_line_error(run, "needed an adapter")


def test_what_an_adapter_is_called(files: WanRestorerFiles) -> None:
    found = recognise(written(files, tiny_adapter(FUSION)))
    assert found.kind == "adapter"
    assert f"adapter for a DiT of width {TINY_DIT.dim}" in found.description
    assert "16 entries" in found.description


def test_its_bytes_are_in_the_plan(files: WanRestorerFiles) -> None:
    adapter = tiny_adapter(FUSION)
    plain, fused = files.load().pipeline, files.load(adapter=written(files, adapter)).pipeline
    assert isinstance(plain, MemoryAwarePipeline)
    assert isinstance(fused, MemoryAwarePipeline)
    weights = sum(parameter.nbytes for parameter in adapter.parameters())
    assert fused.sizes.fixed_bytes - plain.sizes.fixed_bytes == weights
    compute = WanCompute(torch.device("cuda"), torch.bfloat16)
    sizes = WanSizes(
        dit=DiTConfig(), vae=WanVAEConfig(), compute=compute, block_bytes=0, fixed_bytes=0, prior=PriorConfig()
    )
    small, large = (prior_bytes(sizes, VideoShape(21, side, side)) for side in (32, 64))
    assert 3 * small < large < 5 * small
    assert prior_bytes(replace(sizes, prior=None), VideoShape(21, 64, 64)) == 0
