"""The 1.3B restorer's training at tiny size: what moves, what stays, and that a run learns, resumes and exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_vae import latent_of, random_vae, video_of
from tests.support.training_set import write_training_set
from tests.support.wan_training import (
    LORA,
    WanFiles,
    config_of,
    run_of,
    trained_weights,
    write_trained_lora,
    write_wan_files,
)
from tests.support.weight_layouts import TINY_DIT, random_dit
from training.one_step import OneStepDiT
from training.run.stage import Draw, Slots
from training.stages.vividface import DiTWithLatentLoss, DiTWithPixelLoss, VividFaceLoss, VividFaceStage, WanBatch
from training.train import start
from training.wan.decoder import WanDecoder
from training.wan.lora import LoraConfig, add_lora, base_state, changes_of
from training.wan.model import WanTrainConfig, load_trainable
from training.wan.restore_video import WanClipRestoration
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.flow import OneStepFlow
from vfe.options import LoraFile
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError
from vfe.weights.save import Origin, save_vae
from vfe.weights.wan_dit import load_dit
from vfe.weights.wan_vae import load_vae

pytestmark = pytest.mark.slow

STAGES = ("vividface_latent", "vividface_pixel")
CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> WanFiles:
    return write_wan_files(tmp_path / "models")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def train_config(files: WanFiles, lora: LoraConfig | None = LORA) -> WanTrainConfig:
    return WanTrainConfig(dit=str(files.dit), vae=str(files.vae), context=str(files.context), lora=lora)


def draw(clips: int = 2) -> Draw:
    return Draw(0, 0, 0.0, Slots(0, clips, clips))


def copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def moved(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Names of what is not bit-equal any more."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def test_lora_starts_as_the_base_to_the_last_bit(files: WanFiles) -> None:
    z = latent_of(2, 2, 4, 4)
    base = OneStepDiT(random_dit(), load_trainable(train_config(files)).prompt_embedding, OneStepFlow())
    assert torch.equal(load_trainable(train_config(files))(z), base(z))
    assert not torch.equal(base(z), z)


def test_a_step_moves_lora_and_nothing_else(files: WanFiles) -> None:
    model = load_trainable(train_config(files))
    add_noise_to_up(model)
    before, base = copies(model), base_state(model.dit)
    one_step(model, lambda: model(latent_of(1, 2, 4, 4)).square().mean())
    assert moved(model, before) == {name for name in before if ".lora_" in name}
    assert len(moved(model, before)) == 2 * 10 * TINY_DIT.layers
    assert all(torch.equal(value, random_dit().state_dict()[name]) for name, value in base.items())


def test_without_lora_every_weight_of_the_dit_moves(files: WanFiles) -> None:
    model = load_trainable(train_config(files, None))
    before = copies(model)
    one_step(model, lambda: (model(latent_of(1, 2, 4, 4)) ** 2).mean())
    assert moved(model, before) == set(before)


def add_noise_to_up(model: OneStepDiT) -> None:
    """B is zero at first, and with it the gradient of A."""
    with torch.no_grad():
        for change in changes_of(model.dit).values():
            change.up.normal_(std=0.1)


def one_step(module: nn.Module, loss: Callable[[], Tensor]) -> None:
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.01)
    loss().backward()
    optimizer.step()


def test_checkpointing_changes_no_gradient(files: WanFiles) -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = load_trainable(train_config(files), checkpointing)
        decoder = WanDecoder(random_vae(), checkpointing).requires_grad_(True)
        decoder(model(latent_of(1, 3, 4, 4))).square().mean().backward()
        found = [p.grad for module in (model, decoder) for p in module.parameters() if p.requires_grad]
        gradients.append([g for g in found if g is not None])
    assert len(gradients[0]) == len(gradients[1]) > 100
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_a_rule_that_the_files_contradict_is_refused(files: WanFiles, tmp_path: Path) -> None:
    write_trained_lora(tmp_path / "best.safetensors")  # by the rule of DVFace
    config = train_config(files, replace(LORA, init=str(tmp_path / "best.safetensors")))
    with pytest.raises(VFEError, match=r"trained by .*dvface.*model.flow is .*vividface"):
        load_trainable(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"rank": 0}, "rank=0"), ({"alpha": -1.0}, "alpha=-1"), ({"targets": ("q",)}, "targets")],
)
def test_a_bad_lora_config_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoraConfig(**changes)


def test_the_decoder_equals_the_fast_one() -> None:
    """Also in batches, and where it saturates."""
    vae = random_vae()
    decoder = WanDecoder(vae)
    for scale in (0.3, 1.0):
        latent = scale * latent_of(2, 3, 4, 6)
        fast, slow = vae.decode(latent), decoder(latent)
        assert slow.shape == fast.shape == (2, 3, 9, 32, 48)
        assert 0.1 < slow.abs().mean() < 1
        assert (slow - fast).abs().max() < 1e-5


def test_a_cut_pixel_still_has_a_gradient() -> None:
    decoder = WanDecoder(random_vae())
    latent = (5 * latent_of(1, 1, 2, 2)).requires_grad_()
    video = decoder(latent)
    bright = video == 1
    assert bright.any()
    video[bright].sum().backward()
    assert latent.grad is not None
    assert latent.grad.abs().max() > 0


def test_a_trained_decoder_is_read_back_with_the_same_pixels(files: WanFiles, tmp_path: Path) -> None:
    vae = load_vae(files.vae)
    decoder = WanDecoder(vae)
    before = copies(decoder)
    decoder.requires_grad_(True)
    one_step(decoder, lambda: decoder(latent_of(1, 2, 2, 2)).square().mean())
    assert moved(decoder, before) == set(before)
    assert not moved(vae, copies(random_vae()))  # its weights were copied
    save_vae(tmp_path / "vae.safetensors", files.vae, decoder.official_state(), Origin(base=files.vae.name))
    trained = load_vae(tmp_path / "vae.safetensors")
    latent = latent_of(1, 3, 4, 4)
    assert (trained.decode(latent) - decoder(latent)).abs().max() < 1e-5
    assert (trained.decode(latent) - vae.decode(latent)).abs().max() > 0.01
    assert torch.equal(trained.encode(video_of(1, 5, 16, 16)), vae.encode(video_of(1, 5, 16, 16)))
    with pytest.raises(ValueError, match="not of the VAE"):
        save_vae(tmp_path / "vae.safetensors", files.vae, {"decoder.conv1.bias": torch.zeros(3)}, Origin(base=""))


def dit_with_pixel_loss(files: WanFiles) -> DiTWithPixelLoss:
    decoder = WanDecoder(random_vae())
    return DiTWithPixelLoss(load_trainable(train_config(files)), decoder, nn.L1Loss(), VividFaceLoss())


def test_a_pixel_step_moves_lora_through_the_frozen_decoder(files: WanFiles) -> None:
    module = dit_with_pixel_loss(files)
    add_noise_to_up(module.model)
    before = copies(module)
    batch = WanBatch(latent_of(2, 2, 2, 2), video_of(2, 5, 16, 16), torch.ones(2, 1, 5, 16, 16))
    one_step(module, lambda: torch.stack(list(module(batch, draw()).terms.values())).sum())
    assert moved(module, before) == {name for name in before if ".lora_" in name}


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_the_loss_switches_between_face_and_frame(probability: float, files: WanFiles) -> None:
    """In both stages: an error outside of the face counts for the frame alone."""
    model = load_trainable(train_config(files))
    z, loss = latent_of(2, 2, 2, 2), VividFaceLoss(face_probability=probability)
    decoder = WanDecoder(random_vae())
    with torch.no_grad():
        for module, restored in (
            (DiTWithLatentLoss(model, loss), model(z)),
            (DiTWithPixelLoss(model, decoder, nn.L1Loss(), loss), decoder(model(z))),
        ):
            mask, target = torch.zeros_like(restored[:, :1]), restored.clone()
            mask[..., :1], target[..., 1:] = 1, 0.0
            terms = module(WanBatch(z, target, mask), draw()).terms
            assert all((term == 0) == (probability == 1) for term in terms.values())


def test_a_perceptual_loss_may_see_all_of_the_frame(files: WanFiles) -> None:
    loss = VividFaceLoss(face_probability=1.0, perceptual_mask=False)
    module = DiTWithPixelLoss(load_trainable(train_config(files)), WanDecoder(random_vae()), nn.L1Loss(), loss)
    z = latent_of(2, 2, 2, 2)
    with torch.no_grad():
        target = module.decoder(module.model(z))
        mask = torch.zeros_like(target[:, :1])
        mask[..., :1], target[..., 1:] = 1, 0.0
        terms = module(WanBatch(z, target, mask), draw()).terms
    assert terms["pixel"] == 0
    assert terms["perceptual"] > 0


@pytest.mark.parametrize("checkpointing", [False, True])
def test_in_bfloat16_the_losses_and_gradients_stay_near(checkpointing: bool, files: WanFiles) -> None:
    """Weights stay in float32; both trainables compute in autocast."""
    torch.manual_seed(0)
    model = load_trainable(train_config(files), checkpointing)
    add_noise_to_up(model)
    z = latent_of(2, 2, 2, 2)
    trainables = (
        (DiTWithLatentLoss(model, VividFaceLoss()), WanBatch(z, 0.5 * z, torch.ones(2, 1, 2, 2, 2))),
        (
            DiTWithPixelLoss(model, WanDecoder(random_vae(), checkpointing), nn.L1Loss(), VividFaceLoss()),
            WanBatch(z, video_of(2, 5, 16, 16), torch.ones(2, 1, 5, 16, 16)),
        ),
    )
    for module, batch in trainables:
        losses, gradients = [], []
        for enabled in (False, True):
            module.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                loss = torch.stack(list(module(batch, draw()).terms.values())).sum()
            loss.backward()
            losses.append(loss.item())
            gradients.append(torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None]))
        assert losses[1] == pytest.approx(losses[0], rel=0.02)
        assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.95


def test_clips_that_no_patch_divides_are_scored(files: WanFiles) -> None:
    model = load_trainable(train_config(files))
    restoration = WanClipRestoration(model, load_vae(files.vae))
    odd, even = latent_of(1, 2, 3, 5), latent_of(1, 2, 4, 6)
    with torch.no_grad():
        assert restoration.step(odd).shape == odd.shape
        assert torch.equal(restoration.step(even), model(even))
        assert restoration(torch.zeros(1, 3, 5, 24, 40)).shape == (1, 3, 5, 24, 40)


def test_the_shipped_size_trains_what_its_file_says() -> None:
    """Counted without memory: 1.42 B weights of the DiT, 175 M of the LoRA."""
    with torch.device("meta"):
        dit = WanDiT(DiTConfig())
        add_lora(dit, LoraConfig())
    assert sum(value.numel() for value in base_state(dit).values()) == pytest.approx(1.42e9, rel=0.005)
    trained = sum(value.numel() for value in dit.parameters() if value.requires_grad)
    assert trained == 30 * (8 * 128 * 2 * 1536 + 2 * 128 * (1536 + 8960)) == pytest.approx(175e6, rel=0.005)


@pytest.mark.parametrize(
    ("stage", "lora"), [("vividface_latent", LORA), ("vividface_latent", None), ("vividface_pixel", LORA)]
)
def test_a_shipped_run_exports_what_users_load(
    stage: str, lora: LoraConfig | None, files: WanFiles, root: Path, tmp_path: Path
) -> None:
    """Two steps, scored; the file gives the averaged weights' output."""
    evaluation = {"root": str(root), "clips": 1, "frames": 5, "every_steps": 2, "samples": 1}
    run = run_of(config_of(stage, files, root, model=files.config(lora), eval=evaluation))
    assert run.progress.scores
    assert (run.output / "samples").is_dir()
    exported = run.output / "best.safetensors"
    loaded = load_dit(files.dit, [LoraFile(exported)]) if lora else load_dit(exported)
    z = latent_of(1, 2, 4, 4)
    assert isinstance(run.stage, VividFaceStage)
    with torch.no_grad(), run.average.applied():
        expected = run.stage.model.velocity(z)
        found = loaded(z, 400.0, run.stage.model.prompt_embedding)
        assert (found - expected).abs().max() < 1e-5
        assert (expected - random_dit()(z, 400.0, run.stage.model.prompt_embedding)).abs().max() > 1e-6
    facts = json.loads(open_tensors(exported).metadata["training"])
    assert facts["steps"] == 2
    assert facts["data_items"] == 2
    assert str(tmp_path) not in json.dumps(open_tensors(exported).metadata)


@pytest.mark.parametrize("stage", STAGES)
def test_the_loss_goes_down_on_two_clips(stage: str, files: WanFiles, root: Path) -> None:
    run = start(config_of(stage, files, root, **{"optim.lr": 0.003, "checkpointing": False}))
    module = run.stage.trainables[0]
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))

    def loss() -> float:
        with torch.no_grad():
            return float(sum(module(batch, draw()).terms.values()))

    before = loss()
    for _ in range(20):
        run._move(0, [batch])
    assert loss() < 0.8 * before
    assert all(torch.isfinite(value).all() for value in trained_weights(run))


def test_a_stopped_run_goes_on_to_the_same_weights(files: WanFiles, root: Path) -> None:
    straight = run_of(config_of("vividface_latent", files, root, steps=3))
    config = config_of("vividface_latent", files, root, steps=3, output=str(root.parent / "stopped"))
    start(config).train(stop_after=1)
    resumed = start(config, resume=True)
    resumed.train()
    assert resumed.progress.step == 3
    assert all(torch.equal(a, b) for a, b in zip(trained_weights(straight), trained_weights(resumed), strict=True))


def test_the_pixel_stage_goes_on_from_the_latent_stage(files: WanFiles, root: Path) -> None:
    first = run_of(config_of("vividface_latent", files, root))
    init = {"rank": 4, "alpha": 6.0, "init": str(first.output / "last.safetensors")}
    config = config_of("vividface_pixel", files, root, model={**files.config(), "lora": init})
    second = start(replace(config, output=str(root.parent / "second")))
    z = latent_of(1, 2, 4, 4)
    assert isinstance(first.stage, VividFaceStage)
    assert isinstance(second.stage, VividFaceStage)
    with torch.no_grad(), first.average.applied():
        assert (second.stage.model(z) - first.stage.model(z)).abs().max() < 1e-6


def test_a_run_without_perceptual_files_says_what_stands_in(files: WanFiles, root: Path) -> None:
    notes = VividFaceStage(config_of("vividface_pixel", files, root), CPU).notes
    assert len(notes) == 1
    assert "DISTS" in notes[0]
    assert "perceptual.vgg16" in notes[0]
    assert "stands in" in notes[0]
    assert VividFaceStage(config_of("vividface_latent", files, root), CPU).notes == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.side": 40}, "multiple of 16"),
        ({"compile": True}, "compile"),
        ({"loss": {"face_probability": 2.0}}, "0 to 1"),
        ({"fixed": {"variants": 0}}, "variants=0"),
        ({"stage": "vividface_pixel", "fixed": {"variants": 2}}, "vividface_latent"),
        ({"model.dit": "nowhere.safetensors"}, "nowhere.safetensors"),
    ],
)
def test_a_bad_run_is_named(changes: dict[str, object], message: str, files: WanFiles, root: Path) -> None:
    with pytest.raises(ValueError, match=message):
        start(config_of("vividface_latent", files, root, **changes))
