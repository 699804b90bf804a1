"""The stage that trains a flow model of clean latents, and who takes its files and who does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.distill_run import write_flow_model
from tests.support.lite_request import lite_request
from tests.support.tiny_lite import tiny_lite, tiny_lite_with_prior
from tests.support.training_set import small_run, write_training_set, write_yaml
from training.distill.teacher import Teacher, TeacherConfig
from training.stages.score import MEASURES, ScoreStage
from training.train import load_config, start
from vfe.loading.load import load_pipeline
from vfe.types import VFEError
from vfe.weights.lite import FLOW_FORMAT, is_lite_model, load_lite_model, save_lite_model
from vfe.weights.recognise import recognise

CPU = torch.device("cpu")


@pytest.mark.slow
def test_a_flow_model_learns_clean_latents_and_teaches(tmp_path: Path) -> None:
    save_lite_model(tmp_path / "lite.safetensors", tiny_lite(), {}, torch.float32)
    run = {
        **small_run(tmp_path, write_training_set(tmp_path / "data")),
        "stage": "score",
        "lite": str(tmp_path / "lite.safetensors"),
        "optim": {"lr": 0.003, "warmup_steps": 2, "ema": 0.5},
        "steps": 20,
    }
    training = start(load_config(write_yaml(tmp_path, {**run, "eval": {**run["eval"], "every_steps": 10}})))
    assert isinstance(training.stage, ScoreStage)
    before = training.stage.evaluate()
    training.train()
    after = training.progress.scores[-1]
    assert set(before) == {"score", *MEASURES}
    assert after["flow_error"] < before["flow_error"]
    assert after["score"] == -after["flow_error"]
    path = training.output / "last.safetensors"
    assert recognise(path).kind == "flow_model"
    teacher = Teacher(TeacherConfig(kind="flow", lite=str(path)), CPU, half=False)
    assert teacher.net is not None
    assert not any(p.requires_grad for p in teacher.net.parameters())
    z = torch.randn(2, 768, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    tau = torch.tensor([0.3, 0.9])
    both = teacher.net.model.denoised(z, tau)
    assert torch.allclose(both[1:], teacher.net.model.denoised(z[1:], tau[1:]), atol=1e-5)
    assert (training.output / "samples" / "step-00000020" / "clip0.png").exists()


def test_flow_model_and_restorer_are_not_taken_for_each_other(tmp_path: Path) -> None:
    flow, restorer = tmp_path / "flow.safetensors", tmp_path / "restorer.safetensors"
    write_flow_model(flow, tiny_lite(0.02))
    save_lite_model(restorer, tiny_lite(0.02), {})
    assert not is_lite_model(flow)
    assert load_lite_model(flow, CPU, torch.float32, file_format=FLOW_FORMAT).config == tiny_lite().config
    with pytest.raises(VFEError, match="vfe flow model for distillation, which restores nothing"):
        load_pipeline(lite_request(flow, torch.float32), print)
    with pytest.raises(VFEError, match="needed a flow model of clean latents"):
        Teacher(TeacherConfig(kind="flow", lite=str(restorer)), CPU, half=False)
    with pytest.raises(VFEError, match="needed a restorer saved by vfe"):
        Teacher(TeacherConfig(kind="restorer", lite=str(flow)), CPU, half=False)


def test_a_model_with_a_prior_has_no_score(tmp_path: Path) -> None:
    save_lite_model(tmp_path / "lite.safetensors", tiny_lite_with_prior(), {})
    run = {
        **small_run(tmp_path, write_training_set(tmp_path / "data")),
        "stage": "score",
        "lite": str(tmp_path / "lite.safetensors"),
    }
    with pytest.raises(ValueError, match="has a prior or restores aligned faces"):
        start(load_config(write_yaml(tmp_path, run)))
