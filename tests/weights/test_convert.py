"""`vfe convert`: one safetensors file with official names, from every layout, that says where it comes from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.cli_run import run_vfe
from tests.support.weight_layouts import DIT_LAYOUTS, TINY_DIT, fp8, pickled, random_dit, safetensors
from vfe.models.flow import OneStepFlow
from vfe.models.wan_vae import WanVAE, WanVAEConfig
from vfe.options import LoraFile
from vfe.tensor_io.open import open_tensors
from vfe.tensor_io.source import Entry
from vfe.tensor_io.write import write_safetensors
from vfe.types import VFEError
from vfe.weights.convert import ConvertOptions, convert_file
from vfe.weights.lora import merge_loras
from vfe.weights.recognise import recognise
from vfe.weights.wan_dit import load_dit, open_dit, read_flow

KEEP = ConvertOptions()


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("layout", DIT_LAYOUTS)
def test_every_layout_is_converted(layout: str, tmp_path: Path) -> None:
    """Under official names, readable by the safetensors library, equal to what was read; fp8 becomes bf16."""
    (tmp_path / "in").mkdir()
    path, expected = DIT_LAYOUTS[layout](tmp_path / "in", random_dit().state_dict())
    output = tmp_path / "out.safetensors"
    convert_file(path, output, KEEP)
    state = load_file(output)
    dtype = torch.bfloat16 if "fp8" in layout else None
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value.to(dtype or value.dtype)) for name, value in expected.items())
    assert all(state[name].dtype == (dtype or value.dtype) for name, value in expected.items())
    metadata = metadata_of(output)
    assert metadata["format"] == "vfe-weights-1"
    assert metadata["kind"] == "wan_dit"
    assert "rule" not in metadata
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "out.safetensors"]


def test_a_restorer_keeps_its_rule_and_origin(tmp_path: Path) -> None:
    path, _ = pickled("pipe.dit.", "state_dict")(tmp_path, random_dit().state_dict())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    output, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    flow = OneStepFlow("dvface", 250.0)
    told = convert_file(path, output, replace(KEEP, dtype=torch.float16, flow=flow))
    assert told == recognise(output).description
    assert "one-step restorer (dvface, t* = 250)" in told
    assert json.loads(metadata_of(output)["source"]) == [{"file": "vividface.ckpt", "sha256": digest}]
    assert str(tmp_path) not in str(metadata_of(output))
    assert read_flow(open_tensors(output)) == flow
    convert_file(output, again, replace(KEEP, dtype=torch.bfloat16))
    assert read_flow(open_tensors(again)) == flow
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_heads_of_a_network_for_tests_are_noted(tmp_path: Path) -> None:
    config = replace(TINY_DIT, dim=48, heads=2)
    save_file(random_dit(config).state_dict(), tmp_path / "in.safetensors", {"heads": "2"})
    convert_file(tmp_path / "in.safetensors", tmp_path / "out.safetensors", KEEP)
    assert open_dit(tmp_path / "out.safetensors")[0] == config


def test_loras_are_merged_once_and_noted(tmp_path: Path) -> None:
    path, state = safetensors(dtype=torch.float16)(tmp_path, random_dit().state_dict())
    change = torch.randn(128, 128)
    save_file({"diffusion_model.blocks.0.self_attn.q.diff": change}, tmp_path / "lora.safetensors")
    specs = (LoraFile(tmp_path / "lora.safetensors", 0.3),)
    output = tmp_path / "out.safetensors"
    convert_file(path, output, replace(KEEP, loras=specs, dtype=torch.bfloat16))
    exact = merge_loras({name: value.float() for name, value in state.items()}, specs)
    converted = load_file(output)
    assert all(torch.equal(converted[name], exact[name].bfloat16()) for name in exact)
    (note,) = json.loads(metadata_of(output)["loras"])
    assert note["strength"] == 0.3
    assert note["files"][0]["file"] == "lora.safetensors"


def test_fp8_with_a_lora_is_rounded_once(tmp_path: Path) -> None:
    path, state = fp8("old")(tmp_path, random_dit().state_dict())
    save_file({"blocks.0.self_attn.q.diff": torch.randn(128, 128)}, tmp_path / "lora.safetensors")
    specs = (LoraFile(tmp_path / "lora.safetensors"),)
    convert_file(path, tmp_path / "out.safetensors", replace(KEEP, loras=specs))
    name = "blocks.0.self_attn.q.weight"
    exact = merge_loras({key: value.float() for key, value in state.items()}, specs)[name]
    assert torch.equal(load_file(tmp_path / "out.safetensors")[name], exact.bfloat16())


def test_a_vae_is_converted(tmp_path: Path) -> None:
    state = WanVAE(WanVAEConfig(dim=4)).state_dict()
    torch.save({f"model.{name}": value for name, value in state.items()}, tmp_path / "Wan2.1_VAE.pth")
    convert_file(tmp_path / "Wan2.1_VAE.pth", tmp_path / "vae.safetensors", replace(KEEP, dtype=torch.float16))
    converted = load_file(tmp_path / "vae.safetensors")
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], value.half()) for name, value in state.items())
    assert metadata_of(tmp_path / "vae.safetensors")["kind"] == "wan_vae"
    for option in (replace(KEEP, flow=OneStepFlow()), replace(KEEP, loras=(LoraFile(tmp_path / "x"),))):
        with pytest.raises(VFEError, match="a Wan VAE; only a Wan DiT takes LoRAs and a rule"):
            convert_file(tmp_path / "Wan2.1_VAE.pth", tmp_path / "other.safetensors", option)


def test_files_are_never_overwritten_unasked(tmp_path: Path) -> None:
    path, _ = safetensors()(tmp_path, random_dit().state_dict())
    output = tmp_path / "out.safetensors"
    output.write_bytes(b"precious")
    with pytest.raises(VFEError, match=r"out.safetensors exists; add --overwrite"):
        convert_file(path, output, KEEP)
    assert output.read_bytes() == b"precious"
    convert_file(path, output, replace(KEEP, overwrite=True))
    before = path.read_bytes()
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    for same in (path, tmp_path / "x" / ".." / path.name, link):
        with pytest.raises(VFEError, match="the output is also an input"):
            convert_file(path, same, replace(KEEP, overwrite=True))
    assert path.read_bytes() == before
    with pytest.raises(VFEError, match=r"a .safetensors file is written"):
        convert_file(path, tmp_path / "out.ckpt", KEEP)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(VFEError, match="a folder; needed the name of a file"):
        convert_file(path, tmp_path / "folder.safetensors", replace(KEEP, overwrite=True))


def test_a_failure_leaves_no_file_and_the_old_one(tmp_path: Path) -> None:
    """A NaN is found while the output is half written."""
    state = random_dit().state_dict()
    state["head.modulation"][0, 0, 0] = float("nan")
    save_file(state, tmp_path / "in.safetensors")
    output = tmp_path / "out.safetensors"
    output.write_bytes(b"precious")
    with pytest.raises(VFEError, match=r"head.modulation holds NaN"):
        convert_file(tmp_path / "in.safetensors", output, replace(KEEP, overwrite=True))
    assert output.read_bytes() == b"precious"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in.safetensors", "out.safetensors"]


def test_what_cannot_be_converted_is_named(tmp_path: Path) -> None:
    save_file({"blocks.0.self_attn.q.diff": torch.ones(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(VFEError, match="a LoRA; needed a Wan DiT or its VAE"):
        convert_file(tmp_path / "lora.safetensors", tmp_path / "out.safetensors", KEEP)


def test_the_command_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, state = pickled("", "state_dict")(tmp_path, random_dit().state_dict())
    save_file({"blocks.0.self_attn.q.diff": torch.ones(128, 128)}, tmp_path / "lora.safetensors")
    output = tmp_path / "vividface.safetensors"
    lora = f"{tmp_path / 'lora.safetensors'}:0.5"
    command = ("convert", path, "-o", output, "--dtype", "bf16", "--lora", lora, "--rule", "vividface")
    done = run_vfe(capsys, *command)
    assert done.code == 0
    assert done.err == ""
    assert done.out == f"{output}: {recognise(output).description}\n"
    name = "blocks.0.self_attn.q.weight"
    assert torch.equal(load_dit(output, dtype=torch.bfloat16).state_dict()[name], (state[name] + 0.5).bfloat16())
    assert read_flow(open_tensors(output)) == OneStepFlow("vividface", 400.0)
    again = run_vfe(capsys, *command)
    assert again.code == 1
    assert again.err.count("\n") == 1
    assert "exists; add --overwrite" in again.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timestep", "300"], "add --rule"),
        (["--rule", "vividface", "--timestep", "2000"], "timestep is 2000.0"),
        (["--lora", "nothing.safetensors:0.5"], "nothing.safetensors: no such file"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = safetensors()(tmp_path, random_dit().state_dict())
    done = run_vfe(capsys, "convert", path, "-o", tmp_path / "out.safetensors", *options)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert message in done.err
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    "state",
    [
        {"b": torch.tensor(3.0), "a": torch.ones(3, dtype=torch.bool), "c": torch.arange(7, dtype=torch.int8)},
        {"a": torch.ones(2, 0), "b": torch.ones(5, dtype=torch.bfloat16), "c": torch.ones(3, dtype=torch.float64)},
        {"a": torch.ones(3, 5).t(), "b": torch.randn(4).to(torch.float8_e4m3fn), "ä €": torch.ones(1)},
    ],
)
def test_what_we_write_the_library_reads(state: dict[str, Tensor], tmp_path: Path) -> None:
    """And its own files are read by us: the format is written and read here without it."""
    entries = {name: Entry(tuple(value.shape), value.dtype, value.detach) for name, value in state.items()}
    write_safetensors(tmp_path / "ours", entries, {"a": "b \n ü"})
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "theirs", {"a": "b \n ü"})
    loaded = load_file(tmp_path / "ours")
    source = open_tensors(tmp_path / "theirs")
    assert values_are_aligned(tmp_path / "ours")
    assert loaded.keys() == set(source) == state.keys()
    assert metadata_of(tmp_path / "ours") == source.metadata == {"a": "b \n ü"}
    for name, value in state.items():
        assert loaded[name].dtype == source.get(name).dtype == value.dtype
        assert torch.equal(loaded[name].float(), value.float())
        assert torch.equal(source.get(name).float(), value.float())


def values_are_aligned(path: Path) -> bool:
    """Whether readers can map every tensor in place."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    sizes = {"BF16": 2, "F32": 4, "F64": 8}
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    return all((start + entry["data_offsets"][0]) % sizes.get(entry["dtype"], 1) == 0 for entry in entries)
