"""A tiny random Wan restorer gives what `vfe` gives, and ComfyUI loads, patches and unloads it."""

from __future__ import annotations

import weakref

import comfy.latent_formats
import comfy.model_management
import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor

import vfe
from tests.support.comfy_pack import (
    CORE,
    NODES,
    Loose,
    core_vae,
    images_of,
    interrupted_everywhere,
    part,
    run,
    smooth_clip,
    unload,
)
from tests.support.comfy_wan_files import (
    ADAPTER,
    CLIP,
    CONTEXT,
    DIT,
    LORAS,
    VAE,
    decoded,
    enhanced,
    loaded,
    write_files,
)
from tests.support.tensor_memory import tensor_bytes
from tests.support.tiny_vae import TINY
from tests.support.weight_layouts import TINY_DIT
from vfe.models.wan_vae.latents import denormalised
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.types import never_cancelled

EXACT = 2e-5  # of [0, 1]


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    write_files()


def expected(loras: int = 0, adapter: bool = False, clip: Tensor = CLIP) -> Tensor:
    """The same from `vfe` itself, as an IMAGE."""
    files = tuple(LoraFile(LORAS[number], (0.7, -0.4)[number]) for number in range(loras))
    options = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=files, adapter=ADAPTER if adapter else None)
    restorer = vfe.load(DIT, "cpu", "fp32", WindowConfig(9, 1), options)
    return images_of(torch.stack(list(restorer.restore_frames(clip.unbind(0)))))


def restored(restorer: Loose, clip: Tensor = CLIP, **options: Loose) -> Tensor:
    return decoded(enhanced(restorer, clip, **options), restorer=restorer)


def states_of(restorer: Loose) -> list[Tensor]:
    return [value.clone() for patcher in restorer.patchers for value in patcher.model.state_dict().values()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(("loras", "adapter"), [(0, False), (1, False), (2, False), (0, True), (2, True)])
def test_equals_vfe(loras: int, adapter: bool) -> None:
    """LoRAs as patches, `vfe`'s merged; timestep and prompt folded in both."""
    restorer = loaded(loras, adapter)
    latent = enhanced(restorer)
    assert restorer.folding.is_folded
    ours = decoded(latent, restorer=restorer)
    assert (ours - expected(loras, adapter)).abs().max() <= EXACT
    if loras or adapter:
        assert (ours - expected()).abs().max() > 1e-3


def test_loha_and_lokr_are_patches_too() -> None:
    """Their factors are given to ComfyUI, which multiplies them itself."""
    sizes = {
        "0.self_attn.q": {"hada_w1_a": (128, 4), "hada_w1_b": (4, 128), "hada_w2_a": (128, 4), "hada_w2_b": (4, 128)},
        "1.ffn.0": {"lokr_w1": (12, 4), "lokr_w2_a": (16, 4), "lokr_w2_b": (4, 32)},
        "1.self_attn.v": {"lokr_w1": (8, 16), "lokr_w2": (16, 8)},
    }
    path = LORAS[0].with_name("lycoris.safetensors")
    generator = torch.Generator().manual_seed(3)
    lora = {
        f"diffusion_model.blocks.{layer}.{part}": 0.4 * torch.randn(shape, generator=generator)
        for layer, parts in sizes.items()
        for part, shape in parts.items()
    }
    save_file({**lora, "diffusion_model.blocks.1.ffn.0.alpha": torch.tensor(6.0)}, path)
    restorer = loaded(lora_1=path.name, strength_1=0.7)
    options = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=(LoraFile(path, 0.7),))
    ours = vfe.load(DIT, "cpu", "fp32", WindowConfig(9, 1), options)
    images = images_of(torch.stack(list(ours.restore_frames(CLIP.unbind(0)))))
    assert (restored(restorer) - images).abs().max() <= EXACT
    assert (images - expected()).abs().max() > 1e-3


@pytest.mark.parametrize("loras", [0, 2])
def test_unloading_frees_and_leaves_the_weights_as_they_were(loras: int) -> None:
    restorer = loaded(loras, adapter=True)
    before = states_of(restorer)
    restored(restorer)
    vae = restorer.networks.vae
    enhanced(restorer)
    folded, runner = weakref.ref(restorer.folding.folded()), weakref.ref(vae._runner)
    assert not loras or not same(before, states_of(restorer))  # patched
    unload()
    assert folded() is None
    assert runner() is None
    assert not set(restorer.patchers) & set(comfy.model_management.loaded_models())
    assert all(patcher.loaded_size() == 0 and not patcher.backup for patcher in restorer.patchers)
    assert same(before, states_of(restorer))


def test_the_weights_go_with_the_handle() -> None:
    restorer = loaded(1, adapter=True)
    enhanced(restorer)
    networks = [weakref.ref(restorer.networks.dit), weakref.ref(restorer.networks.vae)]
    del restorer
    comfy.model_management.cleanup_models_gc()
    assert [network() for network in networks] == [None, None]


def test_many_runs_keep_memory_flat() -> None:
    restorer = loaded(2, adapter=True)
    for _ in range(2):
        restored(restorer, CLIP[:5])
    before = tensor_bytes()
    for _ in range(10):
        restored(restorer, CLIP[:5])
    assert tensor_bytes() <= before


@pytest.mark.parametrize("budget", [1, 300_000, 1_000_000])
def test_low_vram_gives_the_same(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded by the patcher's own partial load, of which ComfyUI has no use on a CPU; LoRAs are added as it runs."""

    def partly(patchers: Loose, activations: int) -> None:
        assert activations > 0
        for patcher in patchers:
            patcher.detach()
            patcher.partially_load(patcher.load_device, budget)
        assert any(patcher.model.model_lowvram for patcher in patchers)

    restorer = loaded(2, adapter=True)
    before = states_of(restorer)
    monkeypatch.setattr(part("nodes.backend.wan"), "load", partly)
    latent = enhanced(restorer)
    assert not restorer.folding.is_folded
    ours = decoded(latent, restorer=restorer)
    for patcher in restorer.patchers:
        patcher.detach()
    assert (ours - expected(2, adapter=True)).abs().max() <= EXACT
    assert same(before, states_of(restorer))


@pytest.mark.parametrize("budget", [1, 300_000])
def test_in_low_vram_everything_meets_on_the_device(budget: int) -> None:
    """Here a device without values: what would stay behind on the CPU would not mix with it."""
    restorer = loaded(2, adapter=True)
    device = restorer.folding.load_device = torch.device("meta")
    for patcher in (restorer.dit_patcher, restorer.adapter_patcher):
        patcher.load_device = device
        patcher.partially_load(device, budget)
    with torch.inference_mode():
        prior = restorer.read_prior(torch.zeros(1, 3, 5, 32, 32), never_cancelled)
        velocity = restorer.velocity(torch.zeros(1, 16, 2, 4, 4, device=device), never_cancelled, prior)
    assert velocity.is_meta
    assert any(value.device.type == "cpu" for value in restorer.networks.dit.parameters())


def test_memory_pressure_unfolds_and_the_rest_runs() -> None:
    restorer = loaded(2)
    enhanced(restorer)
    assert restorer.folding.is_folded
    restorer.dit_patcher.partially_unload(restorer.dit_patcher.offload_device, 300_000)
    assert restorer.folding.folded() is None
    assert restorer.dit_patcher.model.model_lowvram
    z = torch.randn(1, 16, 2, 4, 4)
    with torch.inference_mode():
        unfolded = restorer.velocity(z, never_cancelled)
    unload()
    enhanced(restorer)
    with torch.inference_mode():
        folded = restorer.velocity(z, never_cancelled)
    assert restorer.folding.is_folded
    assert (unfolded - folded).abs().max() <= EXACT


def test_an_interrupt_stops_within_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = loaded(adapter=True)
    every = interrupted_everywhere(monkeypatch, lambda: restored(restorer), 8)
    assert every > 2 * (3 + 3 + TINY_DIT.layers)  # the VAE's steps, the prior's groups and the blocks, twice
    assert (restored(restorer) - expected(adapter=True)).abs().max() <= EXACT


def test_core_decodes_the_latent_to_the_same_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layout and scaling are ComfyUI's: its latent format takes it back to what the DiT knows."""
    vae, restorer, clip = core_vae(monkeypatch, load_file(VAE), TINY.dim), loaded(), smooth_clip(9, 32, 48)
    latent = enhanced(restorer, clip)
    z = latent["vfe"].windows[0].latent.tiles[0].z_hq
    scaled = comfy.latent_formats.Wan21().process_in(latent["samples"])
    assert latent["samples"].shape == (1, 16, 3, 4, 6)
    assert (scaled - z).abs().max() <= 1e-5
    with torch.inference_mode():
        (theirs,) = CORE.VAEDecode().decode(vae, latent)
    assert theirs.shape == (9, 32, 48, 3)
    assert (theirs - decoded(latent, restorer=restorer)).abs().max() <= EXACT
    assert (theirs - expected(clip=clip)).abs().max() <= EXACT


def test_windows_become_one_latent_for_core(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, restorer, clip = core_vae(monkeypatch, load_file(VAE), TINY.dim), loaded(), smooth_clip(21, 32, 32)
    latent = enhanced(restorer, clip)
    assert [placed.start for placed in latent["vfe"].windows] == [0, 8, 12]
    first, second, _ = (placed.latent.tiles[0].z_hq for placed in latent["vfe"].windows)
    z = comfy.latent_formats.Wan21().process_in(latent["samples"])
    assert z.shape == (1, 16, 6, 4, 4)
    assert (z[:, :, :3] - first).abs().max() <= 1e-5
    assert (z[:, :, 3] - second[:, :, 1]).abs().max() <= 1e-5
    with torch.inference_mode():
        (theirs,) = CORE.VAEDecode().decode(vae, latent)
    assert theirs.shape == (21, 32, 32, 3)
    assert (theirs[:8] - decoded(latent, restorer=restorer)[:8]).abs().max() <= EXACT  # a latent sees no later one


def test_a_whole_window_over_an_overlap_is_cross_faded() -> None:
    latent = enhanced(loaded(), smooth_clip(21, 32, 32), window=13, overlap=5)
    first, second = (placed.latent.tiles[0].z_hq for placed in latent["vfe"].windows)
    z = comfy.latent_formats.Wan21().process_in(latent["samples"])
    assert [placed.start for placed in latent["vfe"].windows] == [0, 8]
    assert z.shape[2] == 6
    assert (z[:, :, 3] - (first[:, :, 3] + second[:, :, 1]) / 2).abs().max() <= 1e-5


@pytest.mark.parametrize(("tile_size", "latents_per_step"), [(0, 0), (16, 1), (24, 2), (64, 5)])
def test_tiles_and_steps_change_nothing(tile_size: int, latents_per_step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with ComfyUI's own VAE, whose weights are used as they are."""
    vae, restorer = core_vae(monkeypatch, load_file(VAE), TINY.dim), loaded()
    latent, plan = enhanced(restorer), {"tile_size": tile_size, "latents_per_step": latents_per_step}
    ours, theirs = decoded(latent, restorer=restorer, **plan), decoded(latent, vae=vae, **plan)
    assert (ours - expected()).abs().max() <= EXACT
    assert (theirs - ours).abs().max() <= EXACT
    unload()
    vae.first_stage_model.state_dict()  # it is as it was
    with torch.inference_mode():
        again = CORE.VAEDecode().decode(vae, {"samples": latent["samples"][:, :, :2]})[0]
    assert again.isfinite().all()


def test_a_latent_that_somebody_changed_is_decoded_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, restorer = core_vae(monkeypatch, load_file(VAE), TINY.dim), loaded()
    latent = enhanced(restorer)
    changed = {**latent, "samples": latent["samples"] * 0.5}
    with torch.inference_mode():
        (theirs,) = CORE.VAEDecode().decode(vae, changed)
    assert theirs.shape == (17, 48, 64, 3)  # with its padding
    ours = decoded(changed, restorer=restorer)
    assert ours.shape == (14, 40, 56, 3)
    assert (ours - theirs[:14, :40, :56]).abs().max() <= EXACT
    assert (ours - decoded(latent, restorer=restorer)).abs().max() > 1e-2
    foreign = {"samples": changed["samples"].repeat(2, 1, 1, 1, 1)}
    assert (decoded(foreign, vae=vae)[17:] - theirs).abs().max() <= EXACT


def test_the_prior_node_gives_what_the_restorer_reads_itself() -> None:
    restorer = loaded(adapter=True)
    prior, code_map = run("DualCodebookPrior", restorer=restorer, images=images_of(CLIP))
    assert code_map.shape == (5, 48, 2 * 64, 3)
    assert set(comfy.model_management.loaded_models()) >= {restorer.adapter_patcher}
    assert (restored(restorer, prior=prior) - expected(adapter=True)).abs().max() <= EXACT
    without = run(
        "DualCodebookPrior", restorer=restorer, images=images_of(CLIP), spatial_strength=0.0, temporal_strength=0.0
    )[0]
    assert (restored(restorer, prior=without) - expected()).abs().max() <= EXACT


def test_half_precision_stays_close() -> None:
    restorer = loaded(1, dtype="bf16")
    ours = restored(restorer)
    assert ours.dtype == torch.float32
    assert 0 < (ours - expected(1)).abs().mean() < 0.01


def test_the_picture_of_a_clip_without_faces_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the step, by our decoding and by ComfyUI's own."""
    (_, nobody, *_) = run("FaceMask", images=images_of(CLIP))
    ((crop,),) = run("FaceCrop", images=images_of(CLIP), tracks=nobody)
    restorer = loaded(adapter=True)
    (prior, _) = run("DualCodebookPrior", restorer=restorer, images=crop)
    (latent,) = run("OneStepEnhance", restorer=restorer, images=crop, prior=prior)
    vae = core_vae(monkeypatch, load_file(VAE), TINY.dim)
    assert decoded(latent, restorer=restorer).shape == decoded(latent, vae=vae).shape == crop.shape
    with torch.inference_mode():
        assert CORE.VAEDecode().decode(vae, latent)[0].shape == crop.shape


def test_a_changed_file_is_loaded_again() -> None:
    chosen = {
        "model": DIT.name,
        "vae": "auto",
        "context": "auto",
        "adapter": "none",
        "lora_1": "none",
        "lora_2": "none",
    }
    fingerprint = NODES["VFE_LoadWanRestorer"].fingerprint_inputs
    first = fingerprint(**chosen)
    assert fingerprint(**chosen) == first
    for path in (DIT, VAE, CONTEXT):
        state = load_file(path)
        save_file({**state, "more": torch.zeros(1)}, path)
        second = fingerprint(**chosen)
        save_file(state, path)
        assert second != first
    assert fingerprint(**{**chosen, "lora_1": LORAS[0].name}) != fingerprint(**chosen)


def test_latents_are_unscaled_as_core_has_them() -> None:
    z = torch.randn(1, 16, 3, 4, 5)
    theirs = comfy.latent_formats.Wan21().process_out(z)
    ours = rearrange(denormalised(rearrange(z, "1 c t h w -> t c h w")), "t c h w -> 1 c t h w")
    assert (ours - theirs).abs().max() <= 1e-6
