"""A DiT written in every layout that users have is loaded back to the same tensors and the same velocity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.tiny_dit import reference_dit
from tests.support.weight_layouts import (
    DIT_LAYOUTS,
    TINY_DIT,
    diffusers_state,
    fp8,
    prefixed,
    random_dit,
    safetensors,
    write_hole,
)
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError
from vfe.weights.dit_names import from_diffusers, layer_in_diffusers, split_parameter
from vfe.weights.wan_dit import config_of, load_dit, open_dit, read_dit


def velocity(model: WanDiT) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(1, model.config.in_channels, 2, 4, 6, generator=generator)
    context = torch.randn(1, 5, model.config.text_dim, generator=generator)
    with torch.no_grad():
        return model(latent, 400.0, context)


@pytest.mark.parametrize("layout", DIT_LAYOUTS)
def test_every_layout_gives_the_same_tensors_and_velocity(layout: str, tmp_path: Path) -> None:
    original = random_dit()
    path, expected = DIT_LAYOUTS[layout](tmp_path, original.state_dict())
    config, state = read_dit(path)
    assert config == TINY_DIT
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert all(state[name].dtype == expected[name].dtype for name in expected)
    original.load_state_dict(expected)
    loaded = load_dit(path)
    assert velocity(original).std() > 0.1
    assert torch.equal(velocity(loaded), velocity(original))


def test_fp8_comes_close_to_what_it_was_made_from(tmp_path: Path) -> None:
    """A scale that is dropped, inverted or applied twice would be off by its size, of about 1000."""
    state = random_dit().state_dict()
    path, _ = fp8("new")(tmp_path, state)
    _, read = read_dit(path)
    for name, value in state.items():
        assert (read[name] - value).norm() <= 0.05 * value.norm()


@pytest.mark.parametrize("shape", [(128, 1), (1, 1), (1,)])
def test_scales_may_be_one_for_each_row(shape: tuple[int, ...], tmp_path: Path) -> None:
    state = random_dit().state_dict()
    name = "blocks.0.self_attn.q"
    weight, scale = state[f"{name}.weight"].to(torch.float8_e4m3fn), torch.rand(shape) + 0.5
    save_file({**state, f"{name}.weight": weight, f"{name}.scale_weight": scale}, tmp_path / "m.safetensors")
    _, read = read_dit(tmp_path / "m.safetensors")
    assert torch.equal(read[f"{name}.weight"], weight.float() * scale)


def test_names_are_those_of_diffusers() -> None:
    """Every parameter, by diffusers' own conversion, there and back."""
    official = random_dit().state_dict()
    theirs = diffusers_state(official)
    assert theirs.keys() == reference_dit(TINY_DIT).state_dict().keys()
    assert {from_diffusers(name) for name in theirs} == official.keys()
    assert all(torch.equal(official[from_diffusers(name)], value) for name, value in theirs.items())
    layers = {split_parameter(name)[0] for name in official}
    assert {layer_in_diffusers(layer) for layer in layers} == {split_parameter(name)[0] for name in theirs}


def test_size_is_read_from_the_shapes(tmp_path: Path) -> None:
    config = DiTConfig(dim=256, heads=2, layers=3, ffn_dim=64, freq_dim=16, text_dim=24, patch=(1, 1, 1))
    path, _ = safetensors("net.")(tmp_path, random_dit(config).state_dict())
    assert open_dit(path)[0] == config


def test_only_our_own_note_gives_other_heads(tmp_path: Path) -> None:
    config = replace(TINY_DIT, dim=48, heads=2)
    state = random_dit(config).state_dict()
    save_file(state, tmp_path / "noted.safetensors", {"heads": "2"})
    assert open_dit(tmp_path / "noted.safetensors")[0] == config
    save_file(state, tmp_path / "bare.safetensors")
    with pytest.raises(VFEError, match="width 48"):
        open_dit(tmp_path / "bare.safetensors")
    save_file(state, tmp_path / "wrong.safetensors", {"heads": "5"})
    with pytest.raises(VFEError, match="not divisible"):
        open_dit(tmp_path / "wrong.safetensors")


def test_dtype_and_device_are_the_callers(tmp_path: Path) -> None:
    path, state = safetensors()(tmp_path, random_dit().state_dict())
    loaded = load_dit(path, dtype=torch.bfloat16)
    assert all(torch.equal(value, state[name].bfloat16()) for name, value in loaded.state_dict().items())
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    on_meta = load_dit(path, device=torch.device("meta"))
    assert {parameter.device.type for parameter in on_meta.parameters()} == {"meta"}


def test_reading_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    """What is loaded may be a view of the mapped file, and is written to by nobody's mistake."""
    path, _ = safetensors()(tmp_path, random_dit().state_dict())
    before = path.read_bytes()
    model = load_dit(path)
    for parameter in model.parameters():
        parameter.zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.ffn.2.bias": None}, r"1 tensors missing \(blocks.1.ffn.2.bias\)"),
        ({"blocks.1.extra": torch.ones(2)}, r"1 tensors unexpected \(blocks.1.extra\)"),
        ({"blocks.1.ffn.2.bias": torch.ones(3)}, r"blocks.1.ffn.2.bias is \(3,\), needed \(128,\)"),
        ({"blocks.0.self_attn.q.weight": torch.ones(128, 64)}, r"is \(128, 64\), needed \(128, 128\)"),
        ({"head.modulation": torch.ones(2, 128)}, r"head.modulation is \(2, 128\), needed 3 axes"),
        ({"patch_embedding.weight": None}, "without patch_embedding.weight"),
        ({"patch_embedding.weight": torch.ones(128, 36, 1, 2, 2)}, "takes 36 channels and gives 16"),
        (
            {"patch_embedding.weight": torch.ones(128, 48, 1, 2, 2), "head.head.weight": torch.ones(192, 128)},
            r"for latents of 48 channels, as Wan2.2's 5B has; needed one for the 16",
        ),
        ({"blocks.7.ffn.0.weight": torch.ones(2, 2)}, r"without blocks 2, 3, 4 and 2 more"),
        ({"img_emb.proj.0.bias": torch.ones(2)}, "an image-to-video Wan DiT; needed a text-to-video one"),
        ({"vace_patch_embedding.weight": torch.ones(2)}, "a Wan VACE DiT"),
        ({"text_embedding.0.bias": torch.full((128,), float("nan"))}, "text_embedding.0.bias holds NaN"),
        ({"blocks.0.modulation": torch.full((1, 6, 128), float("-inf"))}, "blocks.0.modulation holds NaN or infinity"),
        ({"head.head.bias": torch.ones(64, dtype=torch.int8)}, "head.head.bias is int8, a quantisation"),
        ({"blocks.0.ffn.0.scale_weight": torch.ones(())}, "is float32 with a scale, a quantisation"),
        ({"blocks.0.ffn.9.scale_weight": torch.ones(())}, r"1 tensors unexpected \(blocks.0.ffn.9.scale_weight\)"),
        ({"ema.head.modulation": torch.ones(1, 2, 128)}, "2 Wan DiTs in it"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor | None], message: str, tmp_path: Path) -> None:
    state = {**random_dit().state_dict(), **change}
    save_file({name: value for name, value in state.items() if value is not None}, tmp_path / "m.safetensors")
    with pytest.raises(VFEError, match=message) as caught:
        load_dit(tmp_path / "m.safetensors")
    assert "m.safetensors: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["int8_convrot", "nvfp4", "mxfp8"])
def test_other_quantisations_are_refused(form: str, tmp_path: Path) -> None:
    state = random_dit().state_dict()
    note = torch.tensor(list(f'{{"format": "{form}"}}'.encode()), dtype=torch.uint8)
    save_file({**state, "blocks.0.ffn.0.comfy_quant": note}, tmp_path / "tensor.safetensors")
    metadata = {"_quantization_metadata": f'{{"layers": {{"blocks.0.ffn.0": {{"format": "{form}"}}}}}}'}
    save_file(state, tmp_path / "metadata.safetensors", metadata)
    for name in ("tensor", "metadata"):
        with pytest.raises(VFEError, match=f"blocks.0.ffn.0 is quantised as {form}, which is not supported"):
            load_dit(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize("note", [b"{", b"[]", b'"x"', b"\xff", b"{}"])
def test_damaged_notes_on_quantisation_are_one_line(note: bytes, tmp_path: Path) -> None:
    state = random_dit().state_dict()
    tensor = torch.tensor(list(note), dtype=torch.uint8)
    save_file({**state, "blocks.0.ffn.0.comfy_quant": tensor}, tmp_path / "m.safetensors")
    with pytest.raises(VFEError, match="notes on quantisation are damaged"):
        load_dit(tmp_path / "m.safetensors")


def test_the_14b_one_is_not_taken_for_the_small_one(tmp_path: Path) -> None:
    """By its header alone: the values are a hole in the file."""
    large = DiTConfig(dim=5120, heads=40, layers=40, ffn_dim=13824)
    with torch.device("meta"):
        state = WanDiT(large).state_dict()
    path = write_hole(tmp_path / "wan.safetensors", {name: tuple(value.shape) for name, value in state.items()})
    assert config_of(open_tensors(path)) == large
    with pytest.raises(VFEError, match=r"a Wan DiT of 14.3 B parameters .* needed 1.42 B \(width 1536, 30 blocks"):
        open_dit(path, needed=DiTConfig())


def test_the_size_that_is_needed_is_checked_before_loading(tmp_path: Path) -> None:
    path, _ = safetensors()(tmp_path, random_dit().state_dict())
    assert load_dit(path, needed=TINY_DIT).config == TINY_DIT
    with pytest.raises(VFEError, match=r"a Wan DiT of 0.514 M parameters .* needed 1.42 B"):
        load_dit(path, needed=DiTConfig())


def test_values_too_large_for_fp16_are_named(tmp_path: Path) -> None:
    state = random_dit().state_dict()
    state["head.head.bias"][3] = 1e5
    save_file(state, tmp_path / "m.safetensors")
    load_dit(tmp_path / "m.safetensors", dtype=torch.bfloat16)
    with pytest.raises(VFEError, match=r"head.head.bias has values too large for fp16"):
        load_dit(tmp_path / "m.safetensors", dtype=torch.float16)


def test_a_folder_of_several_models_is_searched_by_content(tmp_path: Path) -> None:
    """As Wan's authors lay it out; names say nothing here."""
    state = random_dit().state_dict()
    save_file({"decoder.conv1.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    torch.save(prefixed(state, "dit."), tmp_path / "b.bin")
    (tmp_path / "c.pth").write_bytes(b"damaged")
    (tmp_path / ".d.safetensors").write_bytes(b"hidden")
    assert load_dit(tmp_path).config == TINY_DIT
    save_file(state, tmp_path / "e.safetensors")
    with pytest.raises(VFEError, match=r"a folder of 4 models .* several that fit; give the file itself"):
        load_dit(tmp_path)
