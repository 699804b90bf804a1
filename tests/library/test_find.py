"""Finding model files: scans that come to an end, names in any case, kinds by content."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.model_tree import (
    dit_state,
    empty,
    folder,
    forget_this_machine,
    link,
    model_folders,
    write_dit,
    write_lora,
    write_prompt,
    write_vae,
)
from tests.support.tiny_umt5 import official_state, save
from vfe.cli.models import list_found
from vfe.cli.parser import build_parser
from vfe.library import scan as model_scan
from vfe.library.find import find_component, find_model, find_models, list_models
from vfe.library.folders import HUB, cache_folder, search_folders
from vfe.library.scan import scan
from vfe.tensor_io.source import TensorSource
from vfe.types import VFEError
from vfe.weights.lite import LITE_FORMAT
from vfe.weights.recognise import recognise


@pytest.fixture(autouse=True)
def _only_what_the_test_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_this_machine(monkeypatch, tmp_path / "home")


# Scanning


def test_links_back_and_deep_folders_come_to_an_end(tmp_path: Path) -> None:
    root = folder(tmp_path / "models")
    empty(root / "a" / "model_a.safetensors")
    link(root / "a" / "loop", root)
    link(root / "same.safetensors", root / "a" / "model_a.safetensors")
    deep = root / Path(*(str(depth) for depth in range(model_scan.MAX_DEPTH + 2)))
    empty(deep / "deep.safetensors")
    found = scan(model_folders(root))
    assert [candidate.path.resolve() for candidate in found.found] == [root / "a" / "model_a.safetensors"]
    assert len(found.notes) == 1
    assert "deeper" in found.notes[0]
    assert scan(model_folders(deep)).found[0].name == "deep"


def test_a_huge_folder_is_cut_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        empty(tmp_path / f"{number:02}" / "x.txt")
    monkeypatch.setattr(model_scan, "MAX_ENTRIES", 20)
    found = scan(model_folders(tmp_path))
    assert found.found == []
    assert len(found.notes) == 1
    assert "20 entries" in found.notes[0]
    monkeypatch.setattr(model_scan, "MAX_ENTRIES", 60)
    assert scan(model_folders(tmp_path)).notes == []


def test_a_folder_that_cannot_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(tmp_path / "a" / "x.safetensors")
    empty(tmp_path / "b" / "y.safetensors")
    scandir = os.scandir

    def refuse_a(path: Path) -> object:
        if path == tmp_path / "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_a)
    found = scan(model_folders(tmp_path))
    assert [candidate.name for candidate in found.found] == ["y"]
    assert found.notes == [f"{tmp_path / 'a'} was passed over: Permission denied"]


def test_a_split_model_is_one_entry_with_all_its_bytes(tmp_path: Path) -> None:
    parts = folder(tmp_path / "Wan" / "transformer")
    names = [f"diffusion_pytorch_model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    for name in names:
        (parts / name).write_bytes(b"12345")
    (parts / "diffusion_pytorch_model.safetensors.index.json").write_text("{}")
    empty(parts / "config.json")
    [candidate] = scan(model_folders(tmp_path)).found
    assert (candidate.name, candidate.bytes) == ("Wan/transformer", 10)
    assert candidate.path.name.endswith(".index.json")


# Names


def snapshot(tmp_path: Path, repository: str) -> Path:
    name = "models--" + repository.replace("/", "--")
    return folder(tmp_path / "home" / "huggingface" / "hub" / name / "snapshots" / ("0" * 40))


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("vividface.ckpt", ["vividface", "VividFace", "vividface.ckpt"]),
        ("restorers/VividFace.safetensors", ["vividface"]),
        ("VividFace/diffusion_pytorch_model.safetensors", ["vividface"]),
        ("VividFace/transformer/diffusion_pytorch_model.safetensors", ["vividface", "vividface/transformer"]),
    ],
)
def test_a_name_finds_a_file_or_folder_in_any_case(file: str, names: list[str], tmp_path: Path) -> None:
    path = empty(tmp_path / "models" / file)
    for name in names:
        assert find_model(name, model_folders(tmp_path / "models")) == path
    with pytest.raises(VFEError, match="unknown model 'vivid'"):
        find_model("vivid", model_folders(tmp_path / "models"))


def test_a_repository_of_the_hub_is_a_name(tmp_path: Path) -> None:
    snap = snapshot(tmp_path, "Wan-AI/Wan2.1-T2V-1.3B-Diffusers")
    empty(snap / "vae" / "diffusion_pytorch_model.safetensors")
    path = empty(snap / "transformer" / "diffusion_pytorch_model.safetensors")
    for name in ("Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "wan2.1-t2v-1.3b-diffusers"):
        assert find_model(name) == path


def test_the_same_file_in_two_snapshots_is_found_once(tmp_path: Path) -> None:
    blob = empty(tmp_path / "home" / "huggingface" / "hub" / "models--a--b" / "blobs" / "1234")
    for revision in ("0" * 40, "1" * 40):
        link(blob.parents[1] / "snapshots" / revision / "wan_2.1_vae.safetensors", blob)
    assert [candidate.name for candidate in scan(search_folders()).found if candidate.folder.label == HUB] == [
        "wan_2.1_vae"
    ]


def test_safetensors_come_first_and_loras_are_no_models(tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "vividface.safetensors")
    write_dit(tmp_path / "models" / "vividface.ckpt")
    converted = write_dit(tmp_path / "models" / "vividface.safetensors")
    assert find_model("vividface", model_folders(tmp_path)) == converted
    converted.unlink()
    assert find_model("vividface", model_folders(tmp_path)) == tmp_path / "models" / "vividface.ckpt"


def test_bundled_names_come_before_folders_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "vividface")  # a clone of its repository
    weights = empty(tmp_path / "models" / "vividface.safetensors")
    assert find_model("vividface", model_folders(tmp_path / "models")) == weights
    assert find_model("vividface", []) == Path("vividface")
    for name, path in find_models().items():
        empty(tmp_path / "models" / f"{name}.safetensors")
        assert find_model(name, model_folders(tmp_path / "models")) == path


@pytest.mark.parametrize("missing", ["no/such.safetensors", "such.ckpt", "no/folder"])
def test_a_path_that_is_not_there_is_no_unknown_name(missing: str) -> None:
    with pytest.raises(VFEError, match="model file not found"):
        find_model(missing, [])


# Kinds


def test_the_only_component_is_used_and_no_other_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = write_vae(tmp_path / "any_name.safetensors")
    write_lora(tmp_path / "vae.safetensors")
    context = write_prompt(tmp_path / "empty prompt.safetensors")
    with (tmp_path / "huge.safetensors").open("wb") as file:
        file.truncate(3 << 30)  # sparse
    opened: list[str] = []
    from vfe.tensor_io import open as tensor_file

    open_tensors = tensor_file.open_tensors

    def open_and_note(path: Path) -> TensorSource:
        opened.append(path.name)
        return open_tensors(path)

    monkeypatch.setattr(tensor_file, "open_tensors", open_and_note)
    assert find_component("wan_vae", model_folders(tmp_path)) == vae
    assert find_component("prompt_embedding", model_folders(tmp_path)) == context
    assert "huge.safetensors" not in opened
    assert "vae.safetensors" in opened


@pytest.mark.parametrize(
    ("kind", "parts"),
    [("wan_vae", ("vfe models pull wan2.1-vae", "--vae")), ("prompt_embedding", ("embed-prompt", "--context"))],
)
def test_a_component_that_is_nowhere_says_what_to_get(kind: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(VFEError) as caught:
        find_component(kind, model_folders(tmp_path))  # type: ignore[arg-type]
    assert all(part in str(caught.value) for part in (*parts, str(cache_folder())))


def test_several_components_are_named_but_copies_count_once(tmp_path: Path) -> None:
    first = write_vae(tmp_path / "a.safetensors")
    second = write_vae(tmp_path / "b.safetensors")
    assert find_component("wan_vae", model_folders(tmp_path)) == first
    write_vae(second, 1.0)
    with pytest.raises(VFEError, match=r"a\.safetensors, .*b\.safetensors; choose one with --vae"):
        find_component("wan_vae", model_folders(tmp_path))


def write_everything(root: Path) -> None:
    write_dit(root / "vividface.ckpt")
    write_vae(root / "wan_2.1_vae.safetensors")
    write_lora(root / "style.safetensors")
    write_prompt(root / "context.safetensors")
    save(official_state(), root / "umt5.safetensors")
    save_file({"x": torch.ones(2)}, root / "lite.safetensors", {"format": LITE_FORMAT.name})
    save({"input_blocks.0.0.weight": torch.ones(2)}, root / "stable_diffusion.safetensors")
    (root / "cut.safetensors").write_bytes((root / "style.safetensors").read_bytes()[:-8])
    (root / "text.pth").write_text("<!DOCTYPE html> not found")


def test_a_listing_tells_kinds_apart_and_counts_the_rest(tmp_path: Path) -> None:
    write_everything(tmp_path)
    listing = list_models(model_folders(tmp_path))
    listed = {model.candidate.path.name: model for model in listing.models}
    kinds = {name: model.kind for name, model in listed.items()}
    assert kinds == {
        "lite.safetensors": "restorer",
        "vividface.ckpt": "wan_dit",
        "wan_2.1_vae.safetensors": "wan_vae",
        "style.safetensors": "lora",
        "context.safetensors": "prompt_embedding",
        "umt5.safetensors": "text_encoder",
        "cut.safetensors": None,
        "text.pth": None,
    }
    assert list(kinds) == sorted(kinds, key=lambda name: list(kinds.values()).index(kinds[name]))  # kind by kind
    assert listing.unknown == 1
    assert listing.notes == ()
    assert listed["vividface.ckpt"].description == recognise(tmp_path / "vividface.ckpt").description
    assert "truncated" in listed["cut.safetensors"].description
    assert "web page" in listed["text.pth"].description


def test_a_split_model_is_recognised_by_its_index(tmp_path: Path) -> None:
    state, stem = dit_state(), "diffusion_pytorch_model"
    files = {name: f"{stem}-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(state)}
    for file in set(files.values()):
        save({name: value for name, value in state.items() if files[name] == file}, tmp_path / file)
    (tmp_path / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    [model] = list_models(model_folders(tmp_path)).models
    assert model.kind == "wan_dit"


def test_the_list_tells_size_folder_and_what_was_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "models")
    write_everything(root)
    (root / "loras").mkdir()
    list_found(argparse.Namespace(models=[root], comfyui=None))
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if not line.startswith(" ")][:-1]
    kinds = [
        "lite restorer:",
        "Wan DiT:",
        "Wan VAE:",
        "LoRA:",
        "prompt embedding:",
        "text encoder:",
        "face net:",
        "cannot be read:",
    ]
    assert headings == kinds
    size = (root / "context.safetensors").stat().st_size / 1e3
    assert f"  context: {size:.1f} KB, --models, {root / 'context.safetensors'}" in lines
    assert "--models" in lines[-1]
    assert "passed over 1 file of other kinds" in lines[-1]


def test_nothing_found_says_how_to_get_something(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vfe.library.folders.bundled_folders", lambda: [tmp_path])
    list_found(argparse.Namespace(models=[], comfyui=None))
    assert "vfe models pull" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["models --models a --comfyui b pull x", "models pull x --models a --comfyui b"])
def test_folders_may_stand_before_and_after_pull(line: str) -> None:
    args = build_parser().parse_args(line.split())
    assert (args.names, args.models, args.comfyui) == (["x"], [Path("a")], Path("b"))
