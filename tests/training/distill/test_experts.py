"""Experts: each learns from its share of severities alone; a file of them is chosen from by what a clip suffers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.distill_run import distill_run, first_terms, wan_distill_run
from training.distill.find_thresholds import quantiles
from training.distill.methods.experts import ExpertsConfig
from training.distill.restorer import LatentRestorer, LiteRestorer
from training.lite.net import restore_video, trainable_lite
from training.run.loop import Run
from training.stages.distill import DistillStage
from training.train import load_config, start
from vfe import VFEError, load
from vfe.models.lite import LiteModel
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import OneStepPipeline, TileConfig
from vfe.pipeline.stillness import keep_still_
from vfe.tensor_io.open import open_tensors
from vfe.video.severity import severity
from vfe.weights.experts import EXPERTS_FORMAT
from vfe.weights.recognise import recognise

THRESHOLD = 0.6
METHOD = {"experts": {"thresholds": [THRESHOLD], "rank": 4}}
TRUTH = {"teacher": {"kind": "ground_truth"}}


def clips() -> Tensor:
    """A clip of fine waves and a smooth one: (2, 3, 5, 64, 64)."""
    sharp = torch.rand(1, 3, 5, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
    smooth = torch.nn.functional.avg_pool3d(sharp, (1, 9, 9), 1, (0, 4, 4)) * 6
    phases = torch.tensor([0.0, 0.6, 1.2]).view(3, 1, 1, 1)  # of red, green and blue: grey would stay grey
    wave = torch.sin(torch.arange(64) * 2.7 + phases) * 0.4  # 27 cycles of 32
    return torch.cat([wave.expand(1, 3, 5, 64, 64), smooth]).clamp(-1, 1)


def run_of(folder: Path, **changes: object) -> Run:
    """A run whose student moves and whose experts have learned something."""
    moving = {"student": {"lite": str(folder / "teacher.safetensors")}}
    run = start(load_config(distill_run(folder, METHOD, **{**TRUTH, **moving, **changes})))
    with torch.no_grad():
        for name, value in run.stage.trainables[0].named_parameters():
            if name.endswith(".up"):
                value.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
    return run


def student_of(run: Run) -> LatentRestorer:
    assert isinstance(run.stage, DistillStage)
    return run.stage.student


def lite_of(run: Run) -> LiteModel:
    student = student_of(run)
    assert isinstance(student, LiteRestorer)
    return student.net


def test_severity_tells_smooth_clips_from_fine_ones() -> None:
    fine, smooth = severity(clips()).tolist()
    assert fine < THRESHOLD < smooth
    assert severity(clips()[1:]).tolist() == [smooth]
    assert severity(torch.zeros(1, 3, 1, 40, 24)).tolist() == [1.0]


def test_each_expert_learns_from_its_clips_alone(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    student = student_of(run)
    for clip, other in ((0, 1), (1, 0)):
        degraded = clips()[clip : clip + 1]
        student.see(degraded)
        student.zero_grad()
        student(student.codec.encode(degraded)).square().mean().backward()
        trained_ones = [(n, p) for n, p in student.named_parameters() if p.requires_grad]
        assert all(name.endswith((".down", ".up")) for name, _ in trained_ones)
        assert any(p.grad[clip].any() for _, p in trained_ones if p.grad is not None)
        assert not any(p.grad[other].any() for _, p in trained_ones if p.grad is not None)


def test_clips_of_a_batch_have_experts_of_their_own(tmp_path: Path) -> None:
    student = student_of(run_of(tmp_path))
    degraded = clips()
    z = student.codec.encode(degraded)
    student.see(degraded)
    both = student(z)
    for index in range(2):
        student.see(degraded[index : index + 1])
        alone = student(z[index : index + 1])
        assert torch.allclose(both[index : index + 1], alone, atol=1e-5)
        student.see(degraded[1 - index :][:1])
        assert not torch.allclose(student(z[index : index + 1]), alone, atol=1e-3)
    student.see(degraded)
    with pytest.raises(ValueError, match="chosen for 2 clips, and 3 are to be restored"):
        student(torch.cat([z, z[:1]]))


def test_at_first_it_is_the_model_to_the_bit(tmp_path: Path) -> None:
    plain = start(load_config(distill_run(tmp_path, {"output": {}})))
    run = start(load_config(distill_run(tmp_path, METHOD, **TRUTH)))
    assert set(first_terms(run)) == {"latent"}
    assert first_terms(run)["latent"] == first_terms(plain)["latent"]
    taught = start(load_config(distill_run(tmp_path, METHOD)))
    assert set(first_terms(taught)) == {"latent", "experts"}


@pytest.mark.slow
def test_what_is_frozen_stays_and_the_file_is_restored_by(tmp_path: Path) -> None:
    run = run_of(tmp_path, steps=2, eval={"root": None})
    before = {name: value.clone() for name, value in run.stage.trainables[0].state_dict().items()}
    run.train()
    after = run.stage.trainables[0].state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved
    assert all(name.endswith((".down", ".up")) for name in moved)
    path = run.output / "last.safetensors"
    student = student_of(run)
    restorer = load(path, dtype="fp32")
    for clip, other in (clips(), clips().flip(0)):
        with run.average.applied(), torch.no_grad():
            expected = student.restore_video(clip[None])[0].clamp(-1, 1)
            student.see(other[None])
            by_other = restore_video(lite_of(run), clip[None])[0].clamp(-1, 1)
        for made in (expected, by_other):
            keep_still_(clip.unbind(1), made.unbind(1))
        restored = torch.stack(list(restorer.restore_frames(clip.unbind(1))), 1)
        # int8 on CPUs that have it, and fp16 in the file
        assert (restored - expected).abs().mean() < 0.1 * (restored - by_other).abs().mean()
    assert recognise(path).kind == "restorer"
    with pytest.raises(VFEError, match="has experts beside its weights"):
        trainable_lite(path)


@pytest.mark.slow
def test_a_tiny_wan_dit_has_experts_given_as_a_lora(tmp_path: Path) -> None:
    method = {"experts": {"thresholds": [0.3, THRESHOLD], "rank": 4}}
    path = wan_distill_run(tmp_path, method, steps=2, eval={"root": None}, **TRUTH)
    with pytest.raises(ValueError, match=r"leave out student\.wan\.lora"):
        start(load_config(path))
    optim: dict[str, object] = {"optim": {"lr": 0.05, "warmup_steps": 0, "ema": 0.0}}
    run = trained_wan(path, optim)
    assert run.progress.skipped == 0
    experts, files = run.output / "last.safetensors", tmp_path / "wan"
    assert recognise(experts).kind == "experts"
    assert recognise(experts).description.startswith("3 experts of rank 4 for a DiT of 2 blocks")
    frames = clips()[1].unbind(1)

    def restored(strength: float | None, fold: bool = True) -> Tensor:
        loras = () if strength is None else (LoraFile(experts, strength),)
        vae, context = files / "vae.safetensors", files / "context.safetensors"
        options = ModelOptions(vae=vae, prompt_embedding=context, loras=loras, fold=fold)
        restorer = load(files / "dit.safetensors", dtype="fp32", options=options)
        return torch.stack(list(restorer.restore_frames(frames)))

    folded = restored(1.0)
    assert not torch.allclose(folded, restored(None), atol=1e-3)
    assert torch.allclose(folded, restored(1.0, fold=False), atol=1e-3)
    assert torch.equal(restored(0.0), restored(None))
    video = torch.stack(list(frames), 1)[None]
    with run.average.applied(), torch.no_grad():
        expected = student_of(run).restore_video(video)[0].unbind(1)
    assert torch.allclose(folded, torch.stack(expected), atol=1e-3)
    twice = (LoraFile(experts), LoraFile(experts))
    with pytest.raises(VFEError, match="leave out all but one"):
        load(
            files / "dit.safetensors",
            options=ModelOptions(
                loras=twice, vae=files / "vae.safetensors", prompt_embedding=files / "context.safetensors"
            ),
        )


def trained_wan(path: Path, changes: dict[str, object]) -> Run:
    run = start(load_config(path, {"student.wan.lora": None, **changes}))
    run.train()
    return run


def test_damaged_files_of_experts_are_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    student = student_of(run)
    path = tmp_path / "file.safetensors"
    for rank, message in ((4, None), (5, "not of the sizes that its metadata gives"), (0, "metadata is damaged")):
        note = {"thresholds": [THRESHOLD], "rank": rank}
        student.export(path, {"experts": note})
        if message is None:
            load(path)
            continue
        with pytest.raises(VFEError, match=message):
            load(path)
    assert not EXPERTS_FORMAT.names(open_tensors(path))


def test_thresholds_share_clips_out() -> None:
    assert quantiles(torch.linspace(0.2, 0.8, 301), 3) == [0.4, 0.6]
    with pytest.raises(ValueError, match="too much alike for 3 experts"):
        quantiles(torch.full((9,), 0.5), 3)
    with pytest.raises(ValueError, match="needed one or more, rising, between 0 and 1"):
        ExpertsConfig(thresholds=(0.7, 0.2))


def test_a_window_has_one_choice_in_all_of_its_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path)
    video = torch.cat([clips()[:1], clips()[1:]], 4).repeat(1, 1, 1, 2, 1)
    experts = student_of(run).model.dit.experts
    assert experts is not None
    seen: list[Tensor] = []
    monkeypatch.setattr(experts, "choose", seen.append)
    OneStepPipeline(lite_of(run), tile=TileConfig(64, 0)).restore(video)
    assert len(seen) == 4
    assert all(torch.equal(each, severity(video)) for each in seen)
