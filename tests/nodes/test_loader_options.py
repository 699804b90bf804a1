"""The options fp8 and compile of Load Face Restorer mean what they mean in the command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import vfe
from tests.support.comfy_pack import NODES, Loose, images_of, part, unload
from tests.support.comfy_wan_files import CLIP, CONTEXT, DIT, LORAS, VAE, decoded, enhanced, loaded, write_files
from tests.support.weight_layouts import TINY_DIT
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.types import VFEError

EXACT = 2e-5


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    write_files()


def expected(**options: Loose) -> Tensor:
    model = vfe.load(DIT, "cpu", "fp32", WindowConfig(9, 1), ModelOptions(vae=VAE, prompt_embedding=CONTEXT, **options))
    return images_of(torch.stack(list(model.restore_frames(CLIP.unbind(0)))))


def restored(restorer: Loose) -> Tensor:
    return decoded(enhanced(restorer), restorer=restorer)


def packed_layers(restorer: Loose) -> Iterator[Loose]:
    return (layer for layer in restorer.networks.dit.modules() if hasattr(layer, "form"))


@pytest.mark.parametrize("loras", [0, 2])
def test_8_bits_halve_the_weights_and_stay_near(loras: int) -> None:
    """The command rounds after folding, which makes constants of most of cross-attention; LoRAs are merged before."""
    files = tuple(LoraFile(LORAS[number], (0.7, -0.4)[number]) for number in range(loras))
    exact, theirs = expected(loras=files), expected(loras=files, fp8=True)
    ours = loaded(loras, fp8=True)
    result = restored(ours)
    assert ours.folding.is_folded
    error, of_command = (result - exact).abs().mean(), (theirs - exact).abs().mean()
    assert 0 < error < 2 * of_command
    assert of_command < 0.02
    layers = list(packed_layers(ours))
    assert len(layers) == 10 * TINY_DIT.layers
    assert all(layer.weight.dtype == torch.uint8 for layer in layers)
    half = sum(layer.in_features * layer.out_features for layer in layers)
    assert sum(layer.weight.nbytes for layer in layers) == half + 4 * sum(layer.out_features for layer in layers)
    plain = loaded(loras).dit_patcher.model_size()
    assert ours.dit_patcher.model_size() == pytest.approx(plain - 3 * half, rel=0.01)  # of float32


def test_8_bits_also_where_memory_is_low(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = restored(loaded(2, fp8=True))
    ours = loaded(2, fp8=True)

    def partly(patchers: Loose, activations: int) -> None:
        assert activations > 0
        for patcher in patchers:
            patcher.detach()
            patcher.partially_load(patcher.load_device, 1)

    monkeypatch.setattr(part("nodes.backend.wan"), "load", partly)
    latent = enhanced(ours)
    assert not ours.folding.is_folded
    assert (decoded(latent, restorer=ours) - whole).abs().max() <= EXACT
    for patcher in ours.patchers:
        patcher.detach()


def test_blocks_are_compiled_once_they_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a compiler that takes no time: that the real one gives the same, the tests of the model show."""
    folding = part("nodes.backend.folding")
    compile_blocks = folding.compile_blocks
    compiled = []

    def quickly(model: Loose) -> None:
        compiled.append(model)
        compile_blocks(model, "eager")

    monkeypatch.setattr(folding, "compile_blocks", quickly)
    ours = loaded(2, compile=True)
    assert not compiled
    result = restored(ours)
    assert compiled == [ours.folding.folded()]
    assert (result - restored(loaded(2))).abs().max() <= EXACT
    assert len(compiled) == 1
    unload()
    restored(ours)
    assert len(compiled) == 2  # folded anew


def test_a_compiler_that_does_not_work_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: Loose) -> None:
        raise VFEError(f"torch.compile was asked for but does not work on {model.dtype}")

    monkeypatch.setattr(part("nodes.backend.folding"), "compile_blocks", broken)
    ours = loaded(compile=True)
    with pytest.raises(Exception, match=r"torch\.compile was asked for"):
        restored(ours)
    assert not ours.folding.is_folded


def test_both_are_off_in_saved_workflows_and_hidden() -> None:
    """They are the last widgets, and may be missing."""
    schema = NODES["VFE_LoadWanRestorer"].define_schema()
    widgets = [widget for widget in schema.inputs if widget.id != "conditioning"]
    assert [widget.id for widget in widgets][-3:] == ["attention", "fp8", "compile"]
    assert all(widget.optional and widget.default is False for widget in widgets[-2:])
    assert not list(packed_layers(loaded()))
