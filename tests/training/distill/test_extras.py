"""Extras and `twin` in runs: who sees what, who gets a gradient, and that a run goes on to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.distill_run import distill_run, first_terms
from tests.support.one_thread import one_thread as one_thread
from tests.support.run_state import state_of
from tests.support.training_set import write_training_set
from training.data import clips
from training.data.clips import DataConfig
from training.distill.extras.portraits import Portraits
from training.distill.method import StudentWithLoss
from training.distill.restorer import LiteRestorer
from training.run.stage import Draw, Slots
from training.train import load_config, start

TWIN: dict[str, Any] = {"twin": {}}
NO_TEACHER = {"kind": "ground_truth"}
FRAME_CRITIC = {"net": {"width": 4, "stages": 1, "temporal": False}}
MOTION = {"motion": {"critic": FRAME_CRITIC}}
SELF = {"self_adversarial": {"critic": {"width": 8, "layers": 1}}}
SCORE = {"score_critic": {"width": 8}}
UNSCORED = {"eval": {"root": None, "every_steps": 99}}


def flow_teacher(folder: Path) -> dict[str, str]:
    return {"kind": "flow", "lite": str(folder / "flow.safetensors")}


def own_start(folder: Path) -> dict[str, str]:
    """A student whose velocity is not zero."""
    return {"lite": str(folder / "teacher.safetensors")}


@pytest.mark.slow
@pytest.mark.parametrize(("extras", "optimizers"), [(MOTION, 2), ({**SELF, **SCORE}, 3)])
def test_stop_and_resume_equals_no_stop(tmp_path: Path, extras: dict[str, Any], optimizers: int) -> None:
    changes = {"extras": extras, "teacher": flow_teacher(tmp_path), "steps": 3, **UNSCORED}
    path = distill_run(tmp_path, TWIN, **changes)
    straight = start(load_config(path))
    straight.train()
    stopped = start(load_config(path, {"output": str(tmp_path / "stopped")}))
    stopped.train(stop_after=1)
    resumed = start(load_config(path, {"output": str(tmp_path / "stopped")}), resume=True)
    resumed.train()
    assert len(straight.optimizers) == optimizers
    assert straight.progress.skipped == 0
    assert all(torch.equal(a, b) for a, b in zip(state_of(straight), state_of(resumed), strict=True))


@pytest.mark.parametrize(("extras", "name"), [(MOTION, "frames"), (SELF, "self_adversarial"), (SCORE, "realism")])
def test_each_turn_moves_its_own_weights(tmp_path: Path, extras: dict[str, Any], name: str) -> None:
    changes = {"extras": extras, "teacher": flow_teacher(tmp_path), "student": own_start(tmp_path), **UNSCORED}
    run = start(load_config(distill_run(tmp_path, TWIN, **changes)))
    student, critic = run.stage.trainables
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    terms = student(batch, Draw(0, 0, 0.0, run.slots)).terms
    terms[name].backward()
    assert has_gradient(student)
    assert not has_gradient(critic)
    student.zero_grad()
    (loss,) = critic(batch, Draw(0, 0, 0.0, run.slots)).terms.values()
    loss.backward()
    assert has_gradient(critic)
    assert not has_gradient(student)


def has_gradient(module: torch.nn.Module) -> bool:
    return any(weight.grad is not None and bool(weight.grad.any()) for weight in module.parameters())


def test_real_footage_is_used_without_its_clean_twin(tmp_path: Path) -> None:
    """What lies in the clean places of unpaired clips is never read: not a number changes nothing."""
    extras = {"motion": {}, **SELF, **SCORE}
    changes = {"extras": extras, "teacher": flow_teacher(tmp_path), "student": own_start(tmp_path), **UNSCORED}
    run = start(load_config(distill_run(tmp_path, TWIN, **changes)))
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    for paired in ([True, False], [False, False]):
        unpaired = ~torch.tensor(paired)
        z_hq, clean = batch.z_hq.clone(), batch.clean.clone()
        z_hq[unpaired], clean[unpaired] = torch.nan, torch.nan
        partly = batch._replace(z_hq=z_hq, clean=clean, paired=~unpaired)
        for module in run.stage.trainables:
            terms = module(partly, Draw(0, 0, 0.0, run.slots)).terms
            assert all(term.isfinite() for term in terms.values()), terms
            torch.stack(list(terms.values())).sum().backward()
        assert isinstance(run.stage.trainables[0], StudentWithLoss)
        assert has_gradient(run.stage.trainables[0])


def test_method_and_extra_ask_the_teacher_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(load_config(distill_run(tmp_path, {"output": {}}, extras={"motion": {}}, **UNSCORED)))
    asked, inner = [], LiteRestorer.forward

    def counting(self: LiteRestorer, *inputs: Tensor) -> Tensor:
        asked.append(self)
        return inner(self, *inputs)

    monkeypatch.setattr(LiteRestorer, "forward", counting)
    terms = first_terms(run)
    assert set(terms) == {"latent", "output", "motion"}
    assert sum(not any(weight.requires_grad for weight in net.parameters()) for net in asked) == 1


def test_twin_needs_no_teacher(tmp_path: Path) -> None:
    run = start(load_config(distill_run(tmp_path, TWIN, teacher=NO_TEACHER, student=own_start(tmp_path), **UNSCORED)))
    terms = first_terms(run)
    assert set(terms) == {"latent", "real", "fake", "rectify"}
    assert min(terms.values()) > 0


def test_the_frame_critic_reads_portraits_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No clip of hq_video is opened, and no portrait that is not open."""
    root, read = write_training_set(tmp_path / "data"), []
    inner = clips.read_frames

    def noting(path: Path) -> Tensor:
        read.append(path.relative_to(root).as_posix())
        return inner(path)

    monkeypatch.setattr("training.distill.extras.portraits.read_frames", noting)
    portraits = Portraits(DataConfig(root=str(root), frames=5, side=32, batch=2, segment=6), seed=0)
    seen = portraits.pictures(2, Draw(0, 0, 0.0, Slots(0, 2, 2)))
    assert seen.shape == (2, 3, 2, 32, 32)
    assert set(read) == {"hq_image/face0.png"}
    halves = [portraits.pictures(2, Draw(0, 0, 0.0, Slots(first, 1, 2))) for first in range(2)]
    assert torch.equal(seen, torch.cat(halves))
    assert not torch.equal(seen, portraits.pictures(2, Draw(0, 1, 0.0, Slots(0, 2, 2))))


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="score_critic needs a flow model"):
        start(load_config(distill_run(tmp_path, TWIN, extras=SCORE)))
    manifest = tmp_path / "data/manifest.json"
    items = json.loads(manifest.read_text())["items"]
    manifest.write_text(json.dumps({"items": [item for item in items if item["kind"] == "hq_video"]}))
    with pytest.raises(ValueError, match=r"no portrait \(hq_image\)"):
        start(load_config(distill_run(tmp_path, TWIN, extras=MOTION)))
