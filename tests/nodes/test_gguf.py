"""A Wan DiT from a GGUF file under ComfyUI: listed, as `vfe` restores with it, quantised in memory, moved and left."""

from __future__ import annotations

import comfy.model_management
import folder_paths
import pytest
import torch
from torch import Tensor

gguf = pytest.importorskip("gguf")

import vfe  # noqa: E402
from tests.support.comfy_pack import NODES, Loose, images_of, part, unload  # noqa: E402
from tests.support.comfy_wan_files import (  # noqa: E402
    CLIP,
    CONTEXT,
    LORAS,
    MODELS,
    VAE,
    decoded,
    enhanced,
    loaded,
    write_files,
)
from tests.support.gguf_files import uniform, write_gguf  # noqa: E402
from tests.support.weight_layouts import random_dit  # noqa: E402
from vfe.options import LoraFile, ModelOptions  # noqa: E402
from vfe.pipeline.one_step import WindowConfig  # noqa: E402

GGUF = MODELS / "diffusion_models" / "sub" / "wan-Q8_0.gguf"
EXACT = 2e-5


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    write_files()
    GGUF.parent.mkdir(exist_ok=True)
    write_gguf(GGUF, random_dit().state_dict(), uniform("Q8_0"))


def restorer(loras: int = 0, **options: Loose) -> Loose:
    return loaded(loras, model="sub/wan-Q8_0.gguf", **options)


def expected(loras: int = 0) -> Tensor:
    files = tuple(LoraFile(LORAS[number], (0.7, -0.4)[number]) for number in range(loras))
    options = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=files)
    restored = vfe.load(GGUF, "cpu", "fp32", WindowConfig(9, 1), options)
    return images_of(torch.stack(list(restored.restore_frames(CLIP.unbind(0)))))


def packed_layers(of: Loose) -> list[Loose]:
    return [layer for layer in of.networks.dit.modules() if hasattr(layer, "form")]


def test_the_node_lists_gguf_files_and_comfyui_does_not() -> None:
    schema = NODES["VFE_LoadWanRestorer"].define_schema()
    (model,) = [widget for widget in schema.inputs if widget.id == "model"]
    assert "sub/wan-Q8_0.gguf" in model.options
    assert "sub/wan-Q8_0.gguf" not in folder_paths.get_filename_list("diffusion_models")


@pytest.mark.parametrize("loras", [0, 1, 2])
def test_equals_vfe(loras: int) -> None:
    """LoRAs are added to packed layers when they are unpacked, and patched into the others."""
    ours = restorer(loras)
    restored = decoded(enhanced(ours), restorer=ours)
    assert ours.folding.is_folded
    assert (restored - expected(loras)).abs().max() <= EXACT
    assert not loras or (restored - expected()).abs().max() > 1e-3


def test_weights_stay_quantised() -> None:
    ours, plain = restorer(), loaded()
    assert len(packed_layers(ours)) == 2 * 10 + 4  # one more has rows of 48
    assert ours.dit_patcher.model_size() < 0.35 * plain.dit_patcher.model_size()
    enhanced(ours)
    assert all(layer.weight.dtype == torch.uint8 for layer in packed_layers(ours))
    assert ours.folding.is_folded


@pytest.mark.parametrize("budget", [1, 100_000])
def test_low_vram_gives_the_same(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def partly(patchers: Loose, activations: int) -> None:
        assert activations > 0
        for patcher in patchers:
            patcher.detach()
            patcher.partially_load(patcher.load_device, budget)
        assert any(patcher.model.model_lowvram for patcher in patchers)

    ours = restorer(2)
    monkeypatch.setattr(part("nodes.backend.wan"), "load", partly)
    latent = enhanced(ours)
    assert not ours.folding.is_folded
    restored = decoded(latent, restorer=ours)
    for patcher in ours.patchers:
        patcher.detach()
    assert (restored - expected(2)).abs().max() <= EXACT


@pytest.mark.parametrize("budget", [1, 100_000])
def test_in_low_vram_everything_meets_on_the_device(budget: int) -> None:
    ours = restorer(2)
    device = ours.folding.load_device = torch.device("meta")
    ours.dit_patcher.load_device = device
    ours.dit_patcher.partially_load(device, budget)
    with torch.inference_mode():
        velocity = ours.velocity(torch.zeros(1, 16, 2, 4, 4, device=device), lambda: None, None)
    assert velocity.is_meta
    assert any(layer.weight.device.type == "cpu" for layer in packed_layers(ours))


def test_unloading_leaves_the_weights_as_they_were() -> None:
    ours = restorer(2)
    before = [value.clone() for value in ours.networks.dit.state_dict().values()]
    decoded(enhanced(ours), restorer=ours)
    unload()
    after = list(ours.networks.dit.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not set(ours.patchers) & set(comfy.model_management.loaded_models())
