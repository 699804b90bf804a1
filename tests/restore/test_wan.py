"""The Wan path from files to files: a tiny random DiT, VAE and context in every layout, against the equation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import vfe
from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from tests.support.tiny_lite import tiny_lite
from tests.support.wan_restorer_files import NOISE_VIDEO, WanRestorerFiles, restore_video
from tests.support.weight_layouts import DIT_LAYOUTS, TINY_DIT, random_dit
from vfe.loading.dit_weights import DiTWeights
from vfe.loading.wan_files import is_known_dit
from vfe.models.dit import folded
from vfe.models.wan import WanModel
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.memory_aware import MemoryAwarePipeline
from vfe.pipeline.one_step import WindowConfig
from vfe.video.probe import probe
from vfe.video.read import open_source
from vfe.weights.lite import save_lite_model
from vfe.weights.prompt import read_prompt_embedding


@pytest.fixture
def files(tmp_path: Path) -> WanRestorerFiles:
    return WanRestorerFiles(tmp_path / "models")


def luma(video: Tensor) -> Tensor:
    return torch.einsum("bcthw,c->bthw", video, torch.tensor([0.299, 0.587, 0.114]))


@pytest.mark.slow
@pytest.mark.parametrize("layout", DIT_LAYOUTS)
def test_every_layout_restores_as_the_equation_says(layout: str, tmp_path: Path) -> None:
    files = WanRestorerFiles(tmp_path, layout)
    expected = files.by_hand(NOISE_VIDEO)
    assert (
        expected - files.codec.decode(files.codec.encode(NOISE_VIDEO))
    ).abs().max() > 0.01  # the step does something
    assert (restore_video(files.load()) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("changes", [{"fold": False}, {"memory": 2 << 30}])
def test_how_it_is_run_changes_nothing(files: WanRestorerFiles, changes: dict[str, object]) -> None:
    assert (restore_video(files.load(**changes)) - files.by_hand(NOISE_VIDEO)).abs().max() < 1e-4


def test_fp8_weights_stay_close(files: WanRestorerFiles) -> None:
    expected = files.by_hand(NOISE_VIDEO)
    assert 0 < (restore_video(files.load(fp8=True)) - expected).abs().mean() < 0.02


def test_half_precision_stays_close(files: WanRestorerFiles) -> None:
    half = vfe.load(files.dit, "cpu", "bf16", WindowConfig(9, 1), files.options())
    restored = restore_video(half)
    assert restored.dtype == torch.float32
    assert (restored - files.by_hand(NOISE_VIDEO)).abs().mean() < 0.02


def test_a_lora_is_merged_before_it_is_folded(files: WanRestorerFiles) -> None:
    a, b = torch.randn(2, TINY_DIT.dim) * 0.05, torch.randn(TINY_DIT.ffn_dim, 2)
    name = "blocks.0.ffn.0"
    path = files.folder / "lora.safetensors"
    save_file({f"diffusion_model.{name}.lora_A.weight": a, f"diffusion_model.{name}.lora_B.weight": b}, path)
    changed = random_dit()
    changed.load_state_dict(files.network.state_dict())
    changed.get_parameter(f"{name}.weight").data += 0.5 * b @ a
    expected = files.by_hand(NOISE_VIDEO, changed)
    assert (expected - files.by_hand(NOISE_VIDEO)).abs().max() > 1e-3
    assert (restore_video(files.load(loras=(LoraFile(path, 0.5),))) - expected).abs().max() < 1e-4


def noted_lora(files: WanRestorerFiles, name: str, rule: str) -> Path:
    """A LoRA that changes nothing, and says by which rule it was trained."""
    path = files.folder / name
    layer = "diffusion_model.blocks.0.ffn.0"
    tensors = {
        f"{layer}.lora_A.weight": torch.zeros(1, TINY_DIT.dim),
        f"{layer}.lora_B.weight": torch.zeros(TINY_DIT.ffn_dim, 1),
    }
    save_file(tensors, path, {"rule": rule, "timestep": "400"})
    return path


def test_the_rule_of_a_lora_is_followed(files: WanRestorerFiles) -> None:
    """z_hq = z_lq - t* v where the LoRA was trained so."""
    z = files.codec.encode(NOISE_VIDEO)
    with torch.no_grad():
        v = files.network(z, 400.0, read_prompt_embedding(files.context, TINY_DIT.text_dim))
    lora = LoraFile(noted_lora(files, "dvface.safetensors", "dvface"))
    assert (restore_video(files.load(loras=(lora,))) - files.codec.decode(z - 0.4 * v)).abs().max() < 1e-4
    other = LoraFile(noted_lora(files, "vividface.safetensors", "vividface"))
    with pytest.raises(vfe.VFEError, match="one step can follow one rule only"):
        files.load(loras=(lora, other))


def test_from_video_to_video_on_the_command_line(
    files: WanRestorerFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model by its name, VAE and context found by what is in them; odd sides, sound kept, frames as by hand."""
    nothing_still = Clip(frames=7, width=46, height=34, audio=True, cuts=tuple(range(7)))
    clip = write_clip(tmp_path / "in.mp4", nothing_still)
    output = tmp_path / "out.mkv"
    run = run_vfe(
        capsys, "enhance", clip, "-o", output, "--model", "dit", "--models", files.folder, "--device", "cpu",
        "--dtype", "fp32", "--codec", "ffv1",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert "plan: float32; windows of 81 frames" in run.out
    assert "7 frames" in run.out
    before, after = probe(clip), probe(output)
    assert (after.width, after.height) == (46, 34)
    assert len(after.audio) == len(before.audio) == 1
    with open_source(clip) as source:
        video = torch.stack([frame.pixels for frame in source], dim=1)[None]
    padded = torch.nn.functional.pad(video[0], (0, 2, 0, 14), mode="replicate")[None]
    padded = torch.cat([padded, padded[:, :, -1:].expand(-1, -1, 2, -1, -1)], dim=2)
    expected = files.by_hand(padded)[:, :, :7, :34, :46]
    with open_source(output) as source:
        got = torch.stack([frame.pixels for frame in source], dim=1)[None]
    assert (luma(got) - luma(expected)).abs().mean() < 0.02  # 8 bits; the colour of noise is lost in 4:2:0


def test_what_is_missing_is_said_in_one_line(
    files: WanRestorerFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    clip = write_clip(tmp_path / "in.mp4", Clip(frames=2))
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", files.dit)
    assert_one_line_error(run, "Wan2.1 VAE", "--vae")
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", files.dit, "--vae", files.vae)
    assert_one_line_error(run, "prompt embedding", "--context")
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", files.vae)
    assert_one_line_error(run, "Wan2.1 VAE", "--model needs")
    query = "blocks.0.self_attn.q"
    lora = {f"{query}.lora_A.weight": torch.ones(4, 1536), f"{query}.lora_B.weight": torch.ones(1536, 4)}
    save_file(lora, tmp_path / "lora.safetensors")
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--model", tmp_path / "lora.safetensors")
    assert_one_line_error(run, "LoRA of rank 4 for Wan 1.3B", "--lora adds this one")
    assert not (tmp_path / "out.mp4").exists()


def test_a_name_of_the_catalogue_means_a_size_and_a_path_any(
    files: WanRestorerFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tiny DiT stands for a 14B one: not what "vividface" means, and fine by its path."""
    clip, named = write_clip(tmp_path / "in.mp4", Clip(frames=2)), files.dit.with_name("vividface.safetensors")
    files.dit.rename(named)
    command = ("enhance", clip, "-o", tmp_path / "out.mp4", "--models", files.folder, "--device", "cpu", "--model")
    run = run_vfe(capsys, *command, "VividFace")
    assert_one_line_error(run, "needed 1.42 B (width 1536, 30 blocks", "its path with --model to use it anyway")
    assert run_vfe(capsys, *command, named, "--window", "5").code == 0


@pytest.mark.parametrize(
    ("name", "known"),
    [("vividface", True), ("wan2.1_t2v_1.3b_bf16", True), ("wan2.1-t2v-1.3B-fp16", True), ("wan2.1-vae", False),
     ("wan2.1_t2v_14B_fp16", False), (None, False)],
)  # fmt: skip
def test_which_names_mean_a_size(name: str | None, known: bool) -> None:
    assert is_known_dit(name) is known


def test_a_lora_of_another_size_is_refused(
    files: WanRestorerFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, lora = write_clip(tmp_path / "in.mp4", Clip(frames=2)), tmp_path / "lora14B.safetensors"
    name = "diffusion_model.blocks.0.ffn.0"
    save_file({f"{name}.lora_A.weight": torch.ones(2, 5120), f"{name}.lora_B.weight": torch.ones(13824, 2)}, lora)
    command = ("enhance", clip, "-o", tmp_path / "out.mp4", "--model", files.dit, "--vae", files.vae)
    run = run_vfe(capsys, *command, "--context", files.context, "--lora", lora)
    assert_one_line_error(run, "changes a weight of (13824, 5120)", "needed a LoRA for a model of this size")


def test_dtype_auto_is_the_planners_choice(files: WanRestorerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second format where the first has no room for the window; a named one is obeyed."""
    monkeypatch.setattr("vfe.device.cpu_has_bf16", lambda: True)
    monkeypatch.setattr("vfe.device.cpu_has_fast_bf16", lambda: False)
    room = 220 << 20  # for 33 frames of 512x512 in float32 it takes more, in bfloat16 tiles fit

    def dtype_of(dtype: str, memory: int | None) -> torch.dtype:
        restorer = vfe.load(files.dit, "cpu", dtype, WindowConfig(9, 1), files.options(memory=memory))
        assert isinstance(restorer.pipeline, MemoryAwarePipeline)
        model = restorer.pipeline.model
        assert isinstance(model, WanModel)
        return next(model.dit.blocks.parameters()).dtype

    assert dtype_of("auto", 8 << 30) == torch.float32
    assert dtype_of("auto", room) == torch.bfloat16
    assert dtype_of("fp32", room) == torch.float32


def test_folding_reads_one_block_after_another(files: WanRestorerFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32, whatever the result is in: only one block of that is in memory."""
    events: list[str] = []
    fill, fold_block = DiTWeights.fill, folded.fold_block

    def filled(self: DiTWeights, part: nn.Module, dtype: torch.dtype, prefix: str = "") -> nn.Module:
        events.append(prefix)
        assert dtype == torch.float32
        return fill(self, part, dtype, prefix)

    def fold_one(*args: Any) -> folded.FoldedBlock:  # noqa: ANN401 (passed on)
        events.append("folded")
        return fold_block(*args)

    monkeypatch.setattr(DiTWeights, "fill", filled)
    monkeypatch.setattr(folded, "fold_block", fold_one)
    vfe.load(files.dit, "cpu", "bf16", None, files.options())
    assert events[-4:] == ["blocks.0.", "folded", "blocks.1.", "folded"]


def test_lite_refuses_what_only_wan_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "in.mp4", Clip(frames=2))
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "out.mp4", "--fp8", "--memory", "8GB")
    assert_one_line_error(run, "no use for fp8, memory")


def test_a_restorer_under_a_name_that_only_the_folder_knows(tmp_path: Path) -> None:
    save_lite_model(tmp_path / "mine.safetensors", tiny_lite(), {})
    restorer = vfe.load("mine", "cpu", "fp32", WindowConfig(5, 1), ModelOptions(folders=(tmp_path,)))
    assert restore_video(restorer, NOISE_VIDEO[:, :, :5]).shape == (1, 3, 5, 32, 48)
