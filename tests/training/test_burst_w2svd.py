"""The script that measures W2SVD on a rented GPU, rehearsed on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.burst import w2svd_step
from training.distill.method import StudentWithLoss
from training.distill.task import TaskLoss
from training.losses.terms import LossConfig
from training.wan.lora import LoraConfig

CPU = torch.device("cpu")


@pytest.mark.slow
def test_all_three_steps_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    w2svd_step.main(["--tiny", "--rounds", "1", "--out", str(tmp_path / "new" / "w2svd.json")])
    found = json.loads((tmp_path / "new" / "w2svd.json").read_text())
    assert list(found) == ["plain", "w2svd student", "w2svd fake"]
    assert all(figures["seconds"] > 0 for figures in found.values())
    assert capsys.readouterr().out.startswith("plain seconds ")


@pytest.mark.slow
def test_each_step_moves_its_own_weights() -> None:
    """The student's LoRA by plain training; frozen weights are there once, as they are in a run."""
    student, teacher = w2svd_step.student_and_teacher(w2svd_step.TINY, LoraConfig(rank=2, alpha=2.0), CPU)
    assert teacher.net is not None
    task = TaskLoss(LossConfig(space="latent", face_mean="frame"), student.codec)
    before = {name: value.clone() for name, value in student.named_parameters()}
    step = w2svd_step.step_of(StudentWithLoss(student, task, []), w2svd_step.random_batch(w2svd_step.TINY_GRID, CPU))
    step()
    step()
    moved = {name for name, value in student.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all("lora_" in name for name in moved)
