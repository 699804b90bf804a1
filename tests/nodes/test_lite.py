"""The lite restorer gives what `vfe` gives, and ComfyUI loads and unloads it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import comfy.model_management
import comfy.sample
import folder_paths
import pytest
import skimage.data
import torch
from torch import Tensor

import vfe
from tests.support.comfy_pack import (
    CORE,
    NODES,
    Loose,
    core_vae,
    frames_of,
    images_of,
    interrupted_everywhere,
    part,
    run,
    smooth_clip,
    unload,
)
from tests.support.tensor_memory import tensor_bytes
from tests.support.tiny_lite import tiny_lite, tiny_lite_with_prior
from tests.support.tiny_vae import TINY, random_vae
from vfe.face.paste.align import ALIGNED_SIDE, steady_similarities, take_aligned
from vfe.models.lite import LiteModel
from vfe.pipeline.one_step import WindowConfig
from vfe.types import never_cancelled
from vfe.weights.lite import save_lite_model

EXACT = 2e-5  # of [0, 1]


@pytest.fixture(scope="module")
def clip() -> Tensor:
    return smooth_clip(14, 50, 70)


@pytest.fixture(scope="module")
def expected(clip: Tensor) -> Tensor:
    restorer = vfe.load("lite", "cpu", "fp32", WindowConfig(9, 1))
    return images_of(torch.stack(list(restorer.restore_frames(clip.unbind(0)))))


def restore(restorer: object, clip: Tensor, **options: object) -> Tensor:
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images_of(clip), window=9, overlap=1, **options)
    (images,) = run("VAEDecodeTiled", latent=latent, restorer=restorer)
    return images


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


def state_of(restorer: Loose) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in restorer.patcher.model.state_dict().items()}


def test_equals_vfe(restorer: Loose, clip: Tensor, expected: Tensor) -> None:
    restored = restore(restorer, clip)
    assert restored.shape == expected.shape
    assert restored.dtype == torch.float32
    assert restored.device.type == "cpu"
    assert (restored - expected).abs().max() <= EXACT
    assert (restored - images_of(clip)).abs().max() > 0.02  # it does something


def test_folding_is_undone_bit_by_bit_and_freed(clip: Tensor) -> None:
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    before = state_of(restorer)
    run("OneStepEnhance", restorer=restorer, images=images_of(clip)[:5])
    folded = weakref.ref(restorer.folding.folded())
    assert restorer.patcher in comfy.model_management.loaded_models()
    assert restorer.patcher.is_injected
    unload()
    after = state_of(restorer)
    assert restorer.patcher not in comfy.model_management.loaded_models()
    assert restorer.patcher.loaded_size() == 0
    assert folded() is None
    assert not restorer.folding.is_folded
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_weights_go_with_the_handle(clip: Tensor) -> None:
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    run("OneStepEnhance", restorer=restorer, images=images_of(clip)[:1])
    network = weakref.ref(restorer.network)
    del restorer
    comfy.model_management.cleanup_models_gc()
    assert network() is None  # without the garbage collector: nothing refers to itself


def test_many_runs_keep_memory_flat(restorer: Loose, clip: Tensor) -> None:
    for _ in range(2):
        restore(restorer, clip[:5])
    before = tensor_bytes()
    for _ in range(10):
        restore(restorer, clip[:5])
    assert tensor_bytes() <= before


@pytest.mark.parametrize("budget", [1, 1_000_000, 20_000_000])
def test_low_vram_gives_the_same(
    budget: int, restorer: Loose, clip: Tensor, expected: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded by the patcher's own partial load, of which ComfyUI has no use on a CPU."""

    def partly(patchers: Loose, activations: int) -> None:
        assert activations > 0
        for patcher in patchers:
            patcher.detach()
            patcher.partially_load(patcher.load_device, budget)
            assert patcher.model.model_lowvram

    unload()
    monkeypatch.setattr(part("nodes.backend.lite"), "load", partly)
    restored = restore(restorer, clip)
    assert not restorer.folding.is_folded
    restorer.patcher.detach()
    assert (restored - expected).abs().max() <= EXACT


@pytest.mark.parametrize("budget", [1, 100_000])
@pytest.mark.usefixtures("primed")
def test_in_low_vram_everything_meets_on_the_device(budget: int) -> None:
    """Here a device without values: what would stay behind on the CPU would not mix with it."""
    (restorer,) = run("LoadWanRestorer", model="primed.safetensors", dtype="bf16")
    device = restorer.folding.load_device = restorer.patcher.load_device = torch.device("meta")
    restorer.patcher.partially_load(device, budget)
    with torch.inference_mode():
        video = torch.zeros(1, 3, 5, 32, 32, device=device)
        prior = restorer.read_prior(video, never_cancelled)
        velocity = restorer.velocity(restorer.codec.encode(video), never_cancelled, prior)
        decoded = restorer.codec.decode(velocity.float())
    assert decoded.is_meta
    assert any(value.device.type == "cpu" for value in restorer.network.parameters())


def test_memory_pressure_unfolds_and_the_rest_runs(restorer: Loose, clip: Tensor, expected: Tensor) -> None:
    """ComfyUI takes part of a loaded model away, and later gives it back."""
    restore(restorer, clip[:1])
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images_of(clip), window=9, overlap=1)
    assert restorer.folding.is_folded
    restorer.patcher.partially_unload(restorer.patcher.offload_device, 5_000_000)
    assert not restorer.folding.is_folded
    assert restorer.patcher.is_injected
    assert restorer.folding.folded() is None
    (images,) = run("VAEDecodeTiled", latent=latent, restorer=restorer)
    assert (images - expected).abs().max() <= EXACT
    assert (restore(restorer, clip) - expected).abs().max() <= EXACT


def test_an_interrupt_stops_at_any_check(
    restorer: Loose, clip: Tensor, expected: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between blocks too, and what follows is none the worse for it."""
    every = interrupted_everywhere(monkeypatch, lambda: restore(restorer, clip), 7)
    assert every >= 2 * (len(restorer.network.dit.blocks) + 2)  # each block, encoding and decoding of both windows
    assert (restore(restorer, clip) - expected).abs().max() <= EXACT


def test_an_interrupt_while_folding_leaves_the_weights(
    clip: Tensor, expected: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    before = state_of(restorer)
    folding = part("nodes.backend.folding")
    plain, count = folding.shared, 0

    def stop(*arguments: Loose, **options: Loose) -> Loose:
        nonlocal count
        count += 1
        if count == 3:
            raise comfy.model_management.InterruptProcessingException
        return plain(*arguments, **options)

    monkeypatch.setattr(folding, "shared", stop)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        restore(restorer, clip)
    assert all(torch.equal(before[name], value) for name, value in state_of(restorer).items())
    assert (restore(restorer, clip) - expected).abs().max() <= EXACT


def test_the_lite_latent_is_refused_by_other_nodes(
    restorer: Loose, clip: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images_of(clip)[:5])
    vae = core_vae(monkeypatch, dict(random_vae().state_dict()), TINY.dim)
    other: dict[str, Loose] = {"samples": torch.zeros(1, 16, 2, 8, 8)}
    uses: list[Callable[[], object]] = [
        lambda: CORE.VAEDecode().decode(vae, latent),
        lambda: CORE.VAEDecodeTiled().decode(vae, latent, 512),
        lambda: CORE.LatentUpscaleBy().upscale(latent, "bilinear", 2.0),
        lambda: CORE.LatentFlip().flip(latent, "x-axis"),
        lambda: CORE.LatentFromBatch().frombatch(latent, 0, 1),
        lambda: CORE.LatentComposite().composite(other, latent, 0, 0, 0),
        lambda: CORE.LatentBlend().blend(latent, other, 0.5),
        lambda: comfy.sample.prepare_noise(latent["samples"], 0),
        lambda: latent["samples"] * 2,
        lambda: torch.cat([latent["samples"], other["samples"]]),
        lambda: run("VAEDecodeTiled", latent=latent, vae=vae),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="a latent of VFE's lite restorer: decode it with"):
            use()
    with pytest.raises(ValueError, match="a latent of VFE's lite restorer: decode it with"):
        latent.copy()["samples"]
    with pytest.raises(KeyError, match="noise_mask"):
        latent["noise_mask"]


def test_a_mask_says_where(restorer: Loose, clip: Tensor, expected: Tensor) -> None:
    untouched = restore(restorer, clip, strength=0.0)
    nowhere = restore(restorer, clip, mask=torch.zeros(1, *clip.shape[2:]))
    everywhere = restore(restorer, clip, mask=torch.ones(len(clip), *clip.shape[2:]))
    left = torch.zeros(len(clip), *clip.shape[2:])
    left[..., :32] = 1
    half = restore(restorer, clip, mask=left)
    assert (nowhere - untouched).abs().max() <= EXACT
    assert (everywhere - expected).abs().max() <= EXACT
    assert (half[:, :, :24] - expected[:, :, :24]).abs().max() <= EXACT
    assert (half[:, :, 44:] - untouched[:, :, 44:]).abs().max() <= EXACT


@pytest.mark.parametrize("frames", [1, 14])
def test_the_mask_of_a_picture_without_alpha_is_none(
    frames: int, restorer: Loose, clip: Tensor, expected: Tensor
) -> None:
    """Load Image gives 64 x 64 black for it."""
    assert (restore(restorer, clip, mask=torch.zeros(frames, 64, 64)) - expected).abs().max() <= EXACT
    for other in (torch.ones(1, 64, 64), torch.zeros(1, 32, 32), torch.zeros(1, 64, 70)):
        with pytest.raises(ValueError, match="needed one mask of that size"):
            restore(restorer, clip, mask=other)


@pytest.fixture(scope="module")
def primed() -> Loose:
    """A tiny random lite restorer that has a prior."""
    return tiny("primed.safetensors", tiny_lite_with_prior())


def tiny(name: str, net: LiteModel) -> Loose:
    folder = Path(folder_paths.models_dir) / "vfe"
    folder.mkdir(parents=True, exist_ok=True)
    save_lite_model(folder / name, net, {}, torch.float32)
    return run("LoadWanRestorer", model=name, dtype="fp32")[0]


def test_the_prior_node_gives_what_the_restorer_reads_itself(primed: Loose, clip: Tensor) -> None:
    restorer, path = primed, Path(folder_paths.models_dir) / "vfe" / "primed.safetensors"
    expected = images_of(
        torch.stack(list(vfe.load(path, "cpu", "fp32", WindowConfig(9, 1)).restore_frames(clip.unbind(0))))
    )
    prior, code_map = run("DualCodebookPrior", restorer=restorer, images=images_of(clip))
    assert code_map.shape == (5, 56, 2 * 72, 3)
    assert code_map.min() >= 0
    assert code_map.max() <= 1
    assert len(code_map.flatten(0, 2).unique(dim=0)) > 3
    assert (restore(restorer, clip) - expected).abs().max() <= EXACT
    assert (restore(restorer, clip, prior=prior) - expected).abs().max() <= EXACT  # windows that were not foreseen
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images_of(clip))
    (guided,) = run("OneStepEnhance", restorer=restorer, images=images_of(clip), prior=prior)
    pairs = zip(latent["vfe"].windows, guided["vfe"].windows, strict=True)
    assert all(torch.equal(a.latent.tiles[0].z_hq, b.latent.tiles[0].z_hq) for a, b in pairs)
    (weak,) = run("DualCodebookPrior", restorer=restorer, images=images_of(clip), spatial_strength=0.0)[:1]
    assert (restore(restorer, clip, prior=weak) - expected).abs().max() > 1e-4


def test_codes_of_faces_are_shown_where_their_part_has_a_prior(primed: Loose) -> None:
    """Read from aligned crops of each face; One-Step Enhance, which restores frames, has no use for them."""
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    restorer.faces = primed
    picture = torch.from_numpy(skimage.data.astronaut().copy()[None, :256, 80:400]).float() / 255
    prior, code_map = run("DualCodebookPrior", restorer=restorer, images=picture)
    assert code_map.shape == (1, ALIGNED_SIDE, 2 * ALIGNED_SIDE, 3)
    (track,) = run("FaceMask", images=picture)[1].tracks.tracks
    crop = take_aligned(frames_of(picture)[0], steady_similarities(track.landmarks)[0]).clamp_(-1, 1)
    codes = primed.network.prior(crop[None, :, None], never_cancelled)
    pairs = zip((codes.spatial, codes.temporal), ("spatial_codebook", "temporal_codebook"), strict=True)
    entries = torch.cat([getattr(primed.network.prior, name).nearest(read)[0, 0] for read, name in pairs], dim=1)
    shown = code_map[0, ::8, ::8].flatten(0, 1)
    assert len(entries.unique()) > 1
    for entry in entries.unique():
        assert len(shown[entries.flatten() == entry].unique(dim=0)) == 1
    assert len(shown.unique(dim=0)) == len(entries.unique())
    with pytest.raises(ValueError, match="this PRIOR is of faces"):
        run("OneStepEnhance", restorer=restorer, images=picture, prior=prior)
    with pytest.raises(ValueError, match="no face was found in the images"):
        run("DualCodebookPrior", restorer=restorer, images=torch.full((1, 64, 64, 3), 0.5))
    (restored, _) = run("EnhanceFaceImage", restorer=restorer, image=picture, region="face")
    assert (restored - picture).abs().max() > 1e-3


def test_wrong_inputs_get_a_sentence(restorer: Loose, primed: Loose, clip: Tensor) -> None:
    images = images_of(clip)
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images[:1])
    prior = run("DualCodebookPrior", restorer=primed, images=images[:5])[0]
    plain, (bundled,) = tiny("plain.safetensors", tiny_lite()), run("LoadWanRestorer")
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("exactly one of them is needed", lambda: run("VAEDecodeTiled", latent=latent)),
        (
            "the RESTORER is a lite one",
            lambda: run("VAEDecodeTiled", latent={"samples": torch.zeros(1, 16, 1, 4, 4)}, restorer=restorer),
        ),
        ("MASK is", lambda: run("OneStepEnhance", restorer=restorer, images=images, mask=torch.ones(1, 9, 9))),
        ("IMAGE is", lambda: run("OneStepEnhance", restorer=restorer, images=images[:0])),
        ("half the window of 9", lambda: run("OneStepEnhance", restorer=restorer, images=images, window=9, overlap=9)),
        ("has no codebooks; take", lambda: run("DualCodebookPrior", restorer=plain, images=images)),
        ("no codebooks, nor has its part for f", lambda: run("DualCodebookPrior", restorer=bundled, images=images)),
        ("this PRIOR is of 5 frames", lambda: run("OneStepEnhance", restorer=primed, images=images, prior=prior)),
        ("another RESTORER", lambda: run("OneStepEnhance", restorer=restorer, images=images[:5], prior=prior)),
        ("no such file", lambda: run("LoadWanRestorer", model="gone.safetensors")),
        ("takes no LoRA", lambda: run("LoadWanRestorer", adapter="some.safetensors")),
    ]
    for sentence, use in wrong:
        with pytest.raises(ValueError, match=sentence):
            use()


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_images_are_taken(channels: int, restorer: Loose) -> None:
    images = torch.rand(3, 24, 32, channels)
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images)
    (restored,) = run("VAEDecodeTiled", latent=latent, restorer=restorer)
    assert restored.shape == (3, 24, 32, 3)


def test_listing_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of what may be loaded is made again whenever the page is loaded."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a file was opened")

    folder = Path(folder_paths.models_dir) / "diffusion_models"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "some.safetensors").touch()
    (folder / "some.txt").touch()
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    (model, *_) = NODES["VFE_LoadWanRestorer"].define_schema().inputs
    monkeypatch.undo()
    assert model.options[0] == "lite (bundled)"
    assert "some.safetensors" in model.options
    assert "some.txt" not in model.options


def test_every_input_and_output_has_a_tooltip() -> None:
    for node in NODES.values():
        schema = node.define_schema()
        assert schema.node_id.startswith("VFE_")
        assert schema.category == "Video Face Enhancement"
        assert schema.description
        for link in (*schema.inputs, *schema.outputs):
            assert link.tooltip, f"{schema.node_id}: {link.id}"
