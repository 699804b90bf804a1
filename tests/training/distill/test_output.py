"""Output distillation: a student follows its teacher, and what comes of it is a file like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.distill_run import distill_run, first_terms, trained, wan_distill_run
from tests.support.tiny_lite import tiny_lite, tiny_lite_with_prior
from training.distill.restorer import LiteRestorer
from training.train import load_config, start
from vfe.models.dit.model import WanDiT
from vfe.weights.lite import load_lite_model
from vfe.weights.save import read_lora

CPU = torch.device("cpu")
OUTPUT = {"output": {"weight": 1.0}}
FLOOR = pytest.approx(1e-3)  # Charbonnier's, of equal latents


@pytest.mark.slow
def test_a_student_follows_its_teacher(tmp_path: Path) -> None:
    changes = {"eval": {"root": None}, "optim": {"lr": 0.001, "warmup_steps": 2}}
    method = {"output": {"weight": 20.0}}  # the clean clips, to which this teacher does not lead, count for little
    run = start(load_config(distill_run(tmp_path, method, steps=40, **changes)))
    first = first_terms(run)["output"]
    run.train()
    assert first_terms(run)["output"] < first / 2
    net = load_lite_model(run.output / "last.safetensors", CPU, torch.float32)
    assert net.config == tiny_lite().config


def test_a_student_that_is_its_teacher_learns_nothing_of_it(tmp_path: Path) -> None:
    teacher = {"lite": str(tmp_path / "teacher.safetensors")}
    terms = first_terms(start(load_config(distill_run(tmp_path, OUTPUT, student=teacher))))
    assert set(terms) == {"latent", "output"}
    assert terms["output"] == FLOOR


@pytest.mark.slow
def test_a_lora_on_wan_learns_from_a_wan_model(tmp_path: Path) -> None:
    run = trained(wan_distill_run(tmp_path, OUTPUT, steps=2))
    dit = run.stage.trainables[0].get_submodule("student.model.dit")
    assert isinstance(dit, WanDiT)
    assert run.progress.skipped == 0
    assert read_lora(run.output / "last.safetensors", {name: x for name, x in dit.named_parameters()} | base_names(dit))


def base_names(dit: WanDiT) -> dict[str, torch.Tensor]:
    return {name.replace(".base_layer.", "."): value for name, value in dit.named_parameters()}


@pytest.mark.slow
def test_a_wan_student_may_have_a_lite_teacher(tmp_path: Path) -> None:
    """Through pixels, as their latents have nothing in common."""
    teacher = {"kind": "restorer", "lite": str(tmp_path / "teacher.safetensors")}
    terms = first_terms(start(load_config(wan_distill_run(tmp_path, OUTPUT, teacher=teacher))))
    assert terms["output"] > 1e-3


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a prior"):
        LiteRestorer(tiny_lite_with_prior())
    with pytest.raises(ValueError, match=r"method names none, needed one of .*output"):
        load_config(distill_run(tmp_path, {}))
    with pytest.raises(ValueError, match="method output learns from a restorer"):
        start(load_config(distill_run(tmp_path, OUTPUT, teacher={"kind": "ground_truth"})))
