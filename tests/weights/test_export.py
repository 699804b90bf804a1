"""`vfe export`: what training made, in the forms of others; read back, it gives the trained model's output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.comfy_checkout import comfyui_checkout
from tests.support.comfy_loras import MERGE_IN_COMFYUI
from tests.support.tiny_prior import tiny_adapter
from tests.support.tiny_vae import random_vae
from tests.support.wan_training import FLOW, LORA, WanFiles, trained_dit, write_trained_lora, write_wan_files
from tests.support.weight_layouts import random_dit
from training.wan.lora import LoraConfig, add_lora, base_state, changes_of
from vfe.models.dit.model import WanDiT
from vfe.options import LoraFile
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError
from vfe.weights.adapter import load_adapter, write_adapter
from vfe.weights.recognise import recognise
from vfe.weights.save import Origin, read_lora, save_dit, save_lora, save_vae
from vfe.weights.wan_dit import load_dit, read_flow

pytestmark = pytest.mark.slow

LATENT = torch.randn(1, 16, 2, 4, 4, generator=torch.Generator().manual_seed(1))
CONTEXT = torch.randn(1, 4, 48, generator=torch.Generator().manual_seed(2))
EXACT = 1e-5
MATTERS = 0.02


@pytest.fixture
def files(tmp_path: Path) -> WanFiles:
    return write_wan_files(tmp_path / "models")


@torch.no_grad()
def velocity(dit: WanDiT) -> Tensor:
    return dit(LATENT, 400.0, CONTEXT)


def difference(dit: WanDiT, other: WanDiT) -> float:
    return float((velocity(dit) - velocity(other)).abs().max())


def export(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    run = run_vfe(capsys, "export", *argv)
    assert run.code == 0, run.err
    return run.out


@pytest.mark.parametrize("form", ["comfyui", "peft"])
def test_a_lora_read_back_gives_the_trained_output(
    form: str, files: WanFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, output = write_trained_lora(tmp_path / "best.safetensors"), tmp_path / f"{form}.safetensors"
    assert difference(trained, random_dit()) > MATTERS
    said = export(capsys, tmp_path, "-o", output, "--as", form)
    assert said.startswith(f"{output}: LoRA of rank 4, 20 layers")
    assert difference(load_dit(files.dit, [LoraFile(output)]), trained) < EXACT


def test_what_training_exports_is_a_lora_already(files: WanFiles, tmp_path: Path) -> None:
    trained = write_trained_lora(tmp_path / "best.safetensors")
    assert difference(load_dit(files.dit, [LoraFile(tmp_path / "best.safetensors")]), trained) < EXACT


@pytest.mark.parametrize(("dtype", "error"), [("fp32", EXACT), ("bf16", 0.05), ("fp16", 0.01)])
def test_a_merged_file_gives_the_trained_output(
    dtype: str, error: float, files: WanFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Official names, and the step that it was trained for."""
    trained, output = write_trained_lora(tmp_path / "best.safetensors"), tmp_path / "merged.safetensors"
    export(capsys, tmp_path, "-o", output, "--as", "merged", "--base", files.dit, "--dtype", dtype)
    merged = open_tensors(output)
    assert set(merged) == set(random_dit().state_dict())
    assert read_flow(merged) == FLOW
    assert {str(merged.dtype(name)) for name in merged} == {
        {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp16": "torch.float16"}[dtype]
    }
    assert difference(load_dit(output), trained) < error


def test_a_run_that_was_never_scored_has_its_last_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dit = random_dit(seed=3)
    save_dit(tmp_path / "last.safetensors", dit.state_dict(), dit.config.heads, Origin(base="dit.safetensors"))
    export(capsys, tmp_path, "-o", tmp_path / "merged.safetensors", "--as", "merged")
    assert difference(load_dit(tmp_path / "merged.safetensors"), dit) == 0


def test_whole_weights_are_merged_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dit, path = random_dit(seed=3), tmp_path / "best.safetensors"
    save_dit(path, dit.state_dict(), dit.config.heads, Origin(base="dit.safetensors", flow=FLOW))
    export(capsys, tmp_path, "-o", tmp_path / "merged.safetensors", "--as", "merged")
    assert difference(load_dit(tmp_path / "merged.safetensors"), dit) == 0
    assert read_flow(open_tensors(tmp_path / "merged.safetensors")) == FLOW
    refused = run_vfe(capsys, "export", path, "-o", tmp_path / "lora.safetensors")
    assert_one_line_error(refused, str(path), "no LoRA", "--as merged")


def test_peft_loads_its_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peft = pytest.importorskip("peft")
    trained = write_trained_lora(tmp_path / "best.safetensors")
    export(capsys, tmp_path, "-o", tmp_path / "adapter", "--as", "peft")
    loaded = peft.PeftModel.from_pretrained(random_dit(), tmp_path / "adapter")
    assert difference(loaded.get_base_model(), trained) == 0


@pytest.mark.comfy
def test_comfyui_merges_its_form_alike(files: WanFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comfyui = str(comfyui_checkout())
    write_trained_lora(tmp_path / "best.safetensors")
    export(capsys, tmp_path, "-o", tmp_path / "exported.safetensors")
    save_file(load_file(files.dit), tmp_path / "base.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", MERGE_IN_COMFYUI, str(tmp_path), "exported"],
        cwd=comfyui,
        env={**os.environ, "PYTHONPATH": comfyui},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    theirs = random_dit()
    theirs.load_state_dict(load_file(tmp_path / "exported merged.safetensors"))
    ours = load_dit(files.dit, [LoraFile(tmp_path / "exported.safetensors", 0.7)])  # the strength in the script
    assert difference(theirs, random_dit()) > MATTERS
    assert difference(theirs, ours) < EXACT


def test_notes_and_number_format_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trained_lora(tmp_path / "best.safetensors")
    export(capsys, tmp_path, "-o", tmp_path / "half.safetensors", "--dtype", "fp16")
    half = open_tensors(tmp_path / "half.safetensors")
    assert read_flow(half) == FLOW
    assert half.metadata["base"] == "dit.safetensors"
    assert json.loads(half.metadata["training"]) == {"steps": 3}
    assert half.dtype("diffusion_model.blocks.0.ffn.0.lora_A.weight") == torch.float16
    assert recognise(tmp_path / "half.safetensors").kind == "lora"


@pytest.mark.parametrize("form", ["comfyui", "peft", "merged"])
def test_nothing_is_overwritten_unasked(
    form: str, files: WanFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    write_trained_lora(tmp_path / "run" / "best.safetensors")
    output = tmp_path / "out.safetensors"
    base = ["--base", files.dit] if form == "merged" else []
    command = ["export", tmp_path / "run", "-o", output, "--as", form, *base]
    kept = output / "adapter_model.safetensors" if form == "peft" else output
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(b"kept")
    assert_one_line_error(run_vfe(capsys, *command), "out.safetensors", "exists", "--overwrite")
    assert kept.read_bytes() == b"kept"
    assert run_vfe(capsys, *command, "--overwrite").code == 0
    assert kept.read_bytes() != b"kept"
    assert [path.name for path in tmp_path.rglob("*partial*")] == []


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--as", "merged"], ("a LoRA trained on dit.safetensors", "--base")),
        (["--base", "dit.safetensors"], ("--base", "--as merged")),
    ],
)
def test_what_is_missing_or_too_much_is_named(
    argv: list[str], parts: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_trained_lora(tmp_path / "best.safetensors")
    assert_one_line_error(run_vfe(capsys, "export", tmp_path, "-o", tmp_path / "out.safetensors", *argv), *parts)
    assert not (tmp_path / "out.safetensors").exists()


def test_other_files_are_refused(files: WanFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for trained, part in (
        (files.dit, "nothing that training exported"),
        (tmp_path / "none", "no such file"),
        (tmp_path / "empty", "without weights"),
    ):
        run = run_vfe(capsys, "export", trained, "-o", tmp_path / "out.safetensors")
        assert_one_line_error(run, str(trained), part)


def test_a_lora_goes_on_from_its_file(tmp_path: Path) -> None:
    """Also under another alpha: the change is the same."""
    path = tmp_path / "best.safetensors"
    trained = write_trained_lora(path)
    for alpha in (LORA.alpha, 2.0):
        again = random_dit()
        add_lora(again, LoraConfig(rank=4, alpha=alpha, init=str(path)))
        assert difference(again, trained) < EXACT
    for other, message in (
        (LoraConfig(rank=2, init=str(path)), "rank"),
        (LoraConfig(rank=4, targets=("ffn.0",), init=str(path)), "lora.targets"),
    ):
        with pytest.raises(VFEError, match=message):
            add_lora(random_dit(), other)


def test_reading_a_lora_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    names = base_state(random_dit())
    layer = "diffusion_model.blocks.0.ffn.0"
    for tensors, message in (
        ({f"{layer}.lora_A.weight": torch.zeros(2, 4)}, "only one factor"),
        ({f"{layer}.lora_A.weight": torch.zeros(2, 4), f"{layer}.lora_B.weight": torch.zeros(4, 3)}, "needed"),
        ({f"{layer}9.lora_A.weight": torch.zeros(2, 4)}, "no linear layer"),
        ({f"{layer}.diff": torch.zeros(2, 4)}, "no linear layer"),
        ({f"{layer}.hada_w1_a": torch.zeros(2, 4)}, "LoHa"),
        ({"something": torch.zeros(2)}, "no LoRA"),
    ):
        save_file(tensors, path)
        with pytest.raises(VFEError, match=message):
            read_lora(path, names)


def test_an_interrupted_export_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_tensor: Tensor) -> memoryview:
        raise OSError("disk full")

    monkeypatch.setattr("vfe.tensor_io.write._little_endian", fail)
    with pytest.raises(OSError, match="disk full"):
        save_lora(tmp_path / "lora.safetensors", changes_of(trained_dit()), {})
    assert list(tmp_path.iterdir()) == []


def test_adapter_and_vae_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the stage dvface leaves beside its LoRA, in another number format."""
    run = tmp_path / "run"
    run.mkdir()
    write_adapter(run / "best.adapter.safetensors", tiny_adapter(), {"steps": 3}, torch.float32)
    base, vae = tmp_path / "vae.safetensors", random_vae()
    save_file(vae.state_dict(), base)
    save_vae(run / "last.vae.safetensors", base, {}, Origin(base="dit.safetensors"))
    adapter, decoder = tmp_path / "adapter.safetensors", tmp_path / "decoder.safetensors"
    assert "adapter for a DiT" in export(capsys, run, "-o", adapter, "--as", "adapter", "--dtype", "fp16")
    assert "Wan2.1 VAE" in export(capsys, run, "-o", decoder, "--as", "vae")
    loaded = load_adapter(adapter, torch.float32)
    torch.testing.assert_close(loaded.state_dict(), tiny_adapter().state_dict(), rtol=1e-3, atol=1e-3)
    assert json.loads(open_tensors(adapter).metadata["training"]) == {"steps": 3}
    assert all(torch.equal(value, load_file(decoder)[name]) for name, value in vae.state_dict().items())
    again = run_vfe(capsys, "export", run, "-o", adapter, "--as", "adapter")
    assert_one_line_error(again, "add --overwrite")
    assert_one_line_error(
        run_vfe(capsys, "export", base, "-o", tmp_path / "x.safetensors", "--as", "adapter"), "dvface"
    )
