"""The prior's training: its decoder, the care of its codebooks, and what each of its two stages moves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.support.moved_weights import changed_parts, weights_of
from tests.support.paths import ROOT
from tests.support.tiny_prior import SMALL_PRIOR, TINY_PRIOR
from tests.support.training_set import write_training_set
from training.losses.adversarial import discriminator_loss
from training.losses.terms import code_loss, feature_loss
from training.prior.autoencoder import AutoencoderWithLoss, DiscriminatorWithLoss
from training.prior.decoder import PriorDecoder
from training.prior.naming import target_codes
from training.prior.pairing import distance_share, paired
from training.prior.revival import CodebookUsage
from training.run.checkpoints import trainable_state
from training.run.loop import Run
from training.run.stage import Draw, Slots
from training.stages.prior_codebook import PriorCodebookStage
from training.stages.prior_predict import PriorPredictStage
from training.train import load_config, start
from vfe.models.prior import DualCodebookPrior
from vfe.models.prior.codebook import Codebook
from vfe.models.prior.prior import DualCodes, Latents
from vfe.weights.adapter import load_prior, write_adapter

pytestmark = pytest.mark.slow

DATA = {"frames": 5, "side": 32, "batch": 2, "segment": 6, "reuse": 2}


def write_run(folder: Path, stage: str, **changes: Any) -> Path:  # noqa: ANN401
    root = folder / "data"
    if not root.exists():
        write_training_set(root)
    run = {
        "stage": stage,
        "data": {"root": str(root), **DATA},
        "eval": {"root": str(root), "clips": 1, "frames": 5, "every_steps": 40},
        "optim": {"lr": 0.003, "warmup_steps": 2},
        "precision": "no",
        "workers": 0,
        "steps": 40,
        "output": str(folder / stage),
        **changes,
    }
    path = folder / f"{stage}.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def trained(path: Path) -> Run:
    torch.manual_seed(0)
    run = start(load_config(path))
    run.train()
    return run


def codebook_run(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    small = {"discriminator": {"width": 4, "stages": 1}, "loss": {"adversary_from": 0.5}, "revive_every": 10}
    return write_run(folder, "prior_codebook", **{"model": SMALL_PRIOR, **small, **changes})


def predict_run(folder: Path) -> Path:
    torch.manual_seed(0)
    config = load_config(codebook_run(folder))
    write_adapter(folder / "prior.safetensors", DualCodebookPrior(config.model), {}, torch.float32)  # type: ignore[attr-defined]
    return write_run(folder, "prior_predict", init=str(folder / "prior.safetensors"))


def test_decoder_gives_the_clip_that_the_encoder_takes() -> None:
    video = torch.zeros(2, 3, 9, 32, 48)
    decoded = PriorDecoder(TINY_PRIOR)(DualCodebookPrior(TINY_PRIOR).latents(video).encoded)
    assert decoded.shape == video.shape


def test_a_latent_frame_decodes_to_its_own_frames() -> None:
    torch.manual_seed(0)
    decoder, z = PriorDecoder(TINY_PRIOR), torch.randn(1, TINY_PRIOR.dim, 3, 2, 2)
    other = z.clone()
    other[:, :, 1] += 1
    moved = (decoder(other) != decoder(z)).flatten(3).any(-1)[0].any(0)
    assert moved.tolist() == [False, *[True] * 4, *[False] * 4]


def test_usage_and_perplexity() -> None:
    usage, codebook = CodebookUsage(4, 3), Codebook(4, 3)
    usage.see(torch.tensor([[0, 0], [1, 1]]), torch.zeros(2, 2, 3))
    facts = usage.revive(codebook)
    assert facts["used"] == 0.5
    assert facts["perplexity"] == pytest.approx(2.0)


def test_dead_entries_move_to_latents_and_live_ones_stay() -> None:
    usage, codebook = CodebookUsage(4, 3), Codebook(4, 3)
    before, latents = codebook.entries.detach().clone(), torch.randn(2, 5, 3)
    usage.see(torch.tensor([1, 3]), latents)
    usage.revive(codebook)
    entries = codebook.entries.detach()
    assert torch.equal(entries[[1, 3]], before[[1, 3]])
    for entry in entries[[0, 2]]:
        assert (latents.flatten(0, 1) == entry).all(1).any()
    assert usage.revive(codebook)["used"] == 0.0  # counted anew


def latents_and_codes() -> tuple[Latents, DualCodes]:
    """Of two different clips, with a gradient to every latent and to the entries of both books."""
    torch.manual_seed(0)
    z = [torch.randn(1, 8, 2, 2, 3, requires_grad=True) for _ in range(3)]
    books = (Codebook(16, 8) for _ in range(2))
    codes = [book(torch.randn(1, 2, 2, 3, 8)) for book in books]
    return Latents(*z), DualCodes(*codes)


def test_the_sum_of_both_books_is_paired_with_what_was_encoded() -> None:
    latents, codes = latents_and_codes()
    ((z, z_q),) = paired(latents, codes, "sum")
    assert torch.equal(z, latents.encoded)
    assert torch.equal(z_q, (codes.spatial.entries + codes.temporal.entries).movedim(-1, 1))
    own, *heads = torch.autograd.grad((z * z_q.detach()).sum(), latents, allow_unused=True)
    assert own is not None
    assert heads == [None, None]


def test_each_book_is_paired_with_its_own_latents() -> None:
    latents, codes = latents_and_codes()
    (z_s, q_s), (z_t, q_t) = paired(latents, codes, "book")
    assert torch.equal(z_s, latents.spatial)
    assert torch.equal(z_t, latents.temporal)
    assert torch.equal(q_s, codes.spatial.entries.movedim(-1, 1))
    assert torch.equal(q_t, codes.temporal.entries.movedim(-1, 1))


def test_both_forms_add_up() -> None:
    latents, codes = latents_and_codes()
    assert len(paired(latents, codes, "both")) == 3
    for found, wanted in zip(paired(latents, codes, "both")[1:], paired(latents, codes, "book"), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_the_distance_of_the_sum_is_a_share_of_the_variance() -> None:
    latents, codes = latents_and_codes()
    z = (codes.spatial.entries + codes.temporal.entries).movedim(-1, 1)
    assert distance_share(latents._replace(encoded=z), codes) == 0
    noise = torch.randn(z.shape)
    expected = float((noise.square().mean() / (z + noise).var()).detach())
    assert distance_share(latents._replace(encoded=z + noise), codes) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pairing", ["sum", "book", "both"])
def test_both_stages_use_the_pairing_of_their_run(tmp_path: Path, pairing: str) -> None:
    code = start(load_config(codebook_run(tmp_path, loss={"pairing": pairing}, output=str(tmp_path / "code"))))
    predict = start(load_config(predict_run(tmp_path), {"pairing": pairing}))
    raw = next(iter(code.stage.batches(0, Slots(0, 2, 2))))
    draw = Draw(0, 0, 0.0, Slots(0, 2, 2))
    assert isinstance(code.stage, PriorCodebookStage)
    assert isinstance(predict.stage, PriorPredictStage)
    batch = code.stage.to_batch(raw)
    _, latents, codes = code.stage.net(batch.clean)
    wanted = torch.stack([code_loss(z, z_q) for z, z_q in paired(latents, codes, pairing)]).sum()  # type: ignore[arg-type]
    assert torch.allclose(code.stage.autoencoder(batch, draw).terms["code"], wanted)
    module = predict.stage.predictors
    target = target_codes(module.teacher, batch.clean)
    found = paired(module.net.latents(batch.degraded), target, pairing)  # type: ignore[arg-type]
    terms = module(batch, draw).terms
    assert torch.allclose(terms["feature"], torch.stack([feature_loss(z, z_q) for z, z_q in found]).sum())


def test_the_papers_pairing_is_the_default(tmp_path: Path) -> None:
    assert load_config(codebook_run(tmp_path)).loss.pairing == "sum"  # type: ignore[attr-defined]
    assert load_config(predict_run(tmp_path)).pairing == "sum"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="pairing is 'none', needed sum or book or both"):
        load_config(codebook_run(tmp_path, loss={"pairing": "none"}))


def test_codebook_stage_learns_and_leaves_the_predictors(tmp_path: Path) -> None:
    run = start(load_config(codebook_run(tmp_path)))
    assert isinstance(run.stage, PriorCodebookStage)
    net = run.stage.net
    before = weights_of(net.prior)
    first = run.stage.evaluate()["score"]
    run.train()
    moved = changed_parts(before, net.prior)
    assert moved == {"encoder", "temporal_latents", "spatial_latents", "spatial_codebook", "temporal_codebook"}
    assert run.progress.scores[-1]["score"] > first + 1
    logged = run.progress.losses[-1]
    assert {"l1", "perceptual", "code", "adversarial", "discriminator", "spatial_used", "temporal_perplexity"} <= set(
        logged
    )


def test_without_an_adversary_there_is_one_player(tmp_path: Path) -> None:
    run = start(load_config(codebook_run(tmp_path, loss={"adversarial": 0.0})))
    assert len(run.stage.trainables) == 1


def test_predict_stage_learns_codes_and_fixes_the_codebooks(tmp_path: Path) -> None:
    run = start(load_config(predict_run(tmp_path)))
    assert isinstance(run.stage, PriorPredictStage)
    module = run.stage.predictors
    before, teacher = weights_of(module.net), weights_of(module.teacher)
    first = run.stage.evaluate()["score"]
    run.train()
    moved = changed_parts(before, module.net)
    assert moved == {"encoder", "temporal_latents", "spatial_latents", "spatial_predictor", "temporal_predictor"}
    assert not changed_parts(teacher, module.teacher)
    assert run.progress.scores[-1]["score"] > first


@pytest.mark.parametrize("make", [codebook_run, predict_run])
def test_what_is_exported_is_what_was_trained(tmp_path: Path, make: Any) -> None:  # noqa: ANN401
    run = trained(make(tmp_path))
    loaded = load_prior(run.output / "last.safetensors", torch.float32)
    stage = run.stage
    net = stage.net.prior if isinstance(stage, PriorCodebookStage) else stage.predictors.net  # type: ignore[attr-defined]
    video = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    with run.average.applied(), torch.no_grad():
        assert torch.equal(loaded(video).spatial, net(video).spatial)


def test_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    coarse = {**SMALL_PRIOR, "scales": [{"width": 12, "time": 4, "space": 16, "blocks": 1}]}
    with pytest.raises(ValueError, match="need to be a multiple of 16 and 4n"):
        load_config(codebook_run(tmp_path, model=coarse, data={**DATA, "root": str(tmp_path), "side": 24}))


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Generator, adversary and revival: the global batch alone counts.

    To 3 % of what a weight can move: where a gradient is next to nothing, AdamW makes steps of its rounding.
    """
    rate, steps = 3e-4, 4
    changes = {"data": {**DATA, "root": str(tmp_path / "data"), "batch": 4}, "optim": {"lr": rate, "warmup_steps": 0}}
    path = codebook_run(tmp_path, steps=steps, revive_every=2, eval={}, loss={"adversary_from": 0.0}, **changes)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, "-m", "training.train", str(path), "--set", f"output={tmp_path / 'two'}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / "two/state/step-00000004/state.pt", weights_only=True)["modules"]
    one = trained(path)
    for ours, theirs in zip((trainable_state(module) for module in one.stage.trainables), two, strict=True):
        assert ours.keys() == theirs.keys()
        assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 0.03 * rate * steps


def test_the_discriminator_sees_the_clips_of_the_generator(tmp_path: Path) -> None:
    run = start(load_config(codebook_run(tmp_path, loss={"adversary_from": 0.0})))
    generator, discriminator = run.stage.trainables
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, Slots(0, 2, 2)))))
    draw = Draw(0, 0, 0.5, Slots(0, 2, 2))
    assert isinstance(generator, AutoencoderWithLoss)
    assert isinstance(discriminator, DiscriminatorWithLoss)
    discriminator.eval()  # in training mode each call moves the spectral norm's estimate
    handed_on = generator(batch, draw).next_batch
    assert torch.equal(handed_on.real, batch.clean)
    assert torch.equal(handed_on.generated, generator.net(batch.clean)[0])
    assert not handed_on.generated.requires_grad
    terms = discriminator(handed_on, draw).terms
    expected = discriminator_loss(*(discriminator.discriminator(video) for video in handed_on))
    assert torch.allclose(terms["discriminator"], expected)
