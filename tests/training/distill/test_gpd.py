"""GPD: a student and a wider teacher of shared tensors, of which an ordinary file is left at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import vfe
from tests.support.clips import Clip, write_clip
from tests.support.distill_run import distill_run, first_terms, trained, wan_distill_run
from tests.support.run_state import state_of
from tests.support.tiny_dit import random_dit
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from tests.support.wan_training import write_wan_files
from tests.support.weight_layouts import TINY_DIT
from training.distill.methods.gpd import DynamicTeacher, GPDConfig, check
from training.distill.reparameterise import repeated_axis
from training.distill.teacher import Teacher, TeacherConfig
from training.run.loop import Run
from training.run.stage import Draw
from training.stages.distill import DistillStage
from training.train import load_config, start
from vfe.weights.lite import load_lite_model
from vfe.weights.wan_dit import load_dit

CPU = torch.device("cpu")
GPD: dict[str, Any] = {"gpd": {}}
ALONE = {"kind": "ground_truth"}
NO_DEV = {"root": None}


def gpd_run(folder: Path, method: dict[str, Any] = GPD, **changes: Any) -> Path:  # noqa: ANN401
    """The student is the lite model that moves something, so that all of its blocks have gradients."""
    student = {"lite": str(folder / "teacher.safetensors")}
    return distill_run(folder, method, **{"student": student, "teacher": ALONE, "eval": NO_DEV, **changes})


def wan_gpd_run(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    student = {"wan": write_wan_files(folder / "wan").config(None)}
    return wan_distill_run(folder, GPD, **{"student": student, "teacher": ALONE, "eval": NO_DEV, **changes})


def dynamic_teacher(run: Run) -> DynamicTeacher:
    teacher = run.stage.trainables[0].get_submodule("additions.0")
    assert isinstance(teacher, DynamicTeacher)
    return teacher


def test_both_are_alike_at_first(tmp_path: Path) -> None:
    task = {"space": "latent", "face_probability": 0.0}
    terms = first_terms(start(load_config(gpd_run(tmp_path, {"gpd": {"noise": 0.0}}, task=task))))
    assert set(terms) == {"latent", "teacher_latent", "dynamic"}
    assert terms["latent"] == pytest.approx(terms["teacher_latent"], rel=1e-5)
    assert terms["dynamic"] == pytest.approx(3 * 1e-3, rel=1e-3)  # 3 times Charbonnier's floor


def test_each_shared_tensor_is_trained_once(tmp_path: Path) -> None:
    run = start(load_config(gpd_run(tmp_path)))
    trained_ones = [p for group in run.optimizers[0].param_groups for p in group["params"]]
    assert len(trained_ones) == len({id(p) for p in trained_ones})
    student = tiny_lite()
    repeated = sum(
        p.numel() for n, p in student.dit.named_parameters() if "blocks." in n and repeated_axis(n) is not None
    )
    prompt_and_dit = student.context.numel() + sum(p.numel() for p in student.dit.parameters())
    assert sum(p.numel() for p in trained_ones) == prompt_and_dit + repeated


def test_the_student_alone_learns_from_the_dynamic_teacher(tmp_path: Path) -> None:
    run = start(load_config(gpd_run(tmp_path, {"gpd": {"noise": 0.1}})))
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    run.stage.trainables[0](batch, Draw(0, 0, 0.0, run.slots)).terms["dynamic"].backward()
    blocks = dynamic_teacher(run).blocks
    for name in ("0.self_attn.q.weight", "0.self_attn.o.weight", "1.ffn.0.weight", "1.ffn.2.weight"):
        gradient, axis = blocks.get_parameter(name).grad, repeated_axis(name)
        assert gradient is not None, name
        assert axis is not None, name
        first, second = gradient.chunk(2, axis)
        assert first.any(), name
        assert not second.any(), name


@pytest.mark.slow
@pytest.mark.parametrize("branches", [0, 1])
def test_the_export_is_an_ordinary_file_of_the_student(tmp_path: Path, branches: int) -> None:
    scored = {"root": str(tmp_path / "data"), "clips": 1, "frames": 5, "every_steps": 3}
    run = trained(gpd_run(tmp_path, {"gpd": {"branches": branches}}, steps=3, eval=scored))
    assert (run.output / "best.safetensors").exists()
    net = load_lite_model(run.output / "last.safetensors", CPU, torch.float32)
    assert net.config == tiny_lite().config
    assert isinstance(run.stage, DistillStage)
    video = drifting_pattern(5, 32, 32)
    with run.average.applied(), torch.no_grad():
        z_lq = net.codec.encode(video)
        in_place = run.stage.result(z_lq)
        loaded = net.flow.restore(z_lq, net(z_lq))
    assert torch.allclose(in_place, loaded, atol=2e-3)  # files have half precision
    assert not torch.allclose(in_place, z_lq, atol=2e-3)
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=3, width=48, height=32))
    vfe.load(str(run.output / "last.safetensors"), "cpu").restore_file(clip, tmp_path / "restored.mp4")
    assert (tmp_path / "restored.mp4").exists()


@pytest.mark.slow
def test_a_resumed_run_has_the_same_weights(tmp_path: Path) -> None:
    path = gpd_run(tmp_path, {"gpd": {"branches": 1}}, steps=4)
    straight = start(load_config(path, {"output": str(tmp_path / "straight")}))
    straight.train()
    trained(path, steps=2)
    resumed = start(load_config(path), resume=True)
    resumed.train()
    assert all(torch.equal(a, b) for a, b in zip(state_of(straight), state_of(resumed), strict=True))


@pytest.mark.slow
def test_recomputed_activations_change_nothing(tmp_path: Path) -> None:
    path = gpd_run(tmp_path, steps=2)
    runs = []
    for recompute in (False, True):
        changes = {"output": str(tmp_path / f"{recompute}"), "checkpointing": recompute}
        runs.append(start(load_config(path, changes)))
        runs[-1].train()
    assert all(torch.equal(a, b) for a, b in zip(*map(state_of, runs), strict=True))


@pytest.mark.slow
def test_a_static_teacher_teaches_both_and_stays_as_it_is(tmp_path: Path) -> None:
    teacher = {"kind": "restorer", "lite": str(tmp_path / "teacher.safetensors")}
    student = {"lite": str(tmp_path / "student.safetensors")}
    path = gpd_run(tmp_path, {"gpd": {"static": 0.5, "penalty": "mse"}}, teacher=teacher, student=student, steps=2)
    run = start(load_config(path))
    terms = first_terms(run)
    assert terms["static"] > 0
    assert terms["static"] == pytest.approx(terms["teacher_static"], rel=1e-3)
    net = dynamic_teacher(run).teacher.net
    assert net is not None
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run.train()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.slow
def test_a_whole_wan_dit_is_left(tmp_path: Path) -> None:
    run = trained(wan_gpd_run(tmp_path, steps=2))
    assert isinstance(run.stage, DistillStage)
    dit = load_dit(run.output / "last.safetensors")
    assert dit.config == TINY_DIT
    with run.average.applied():
        state = run.stage.result.model.dit.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in dit.state_dict().items())


def test_what_does_not_fit_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gpd_run(tmp_path)
    with pytest.raises(ValueError, match=r"teacher.kind is ground_truth and gpd.static 1.0"):
        start(load_config(path, {"method.gpd.static": 1.0}))
    with pytest.raises(ValueError, match=r"teacher.kind is restorer and gpd.static 0.0"):
        start(load_config(distill_run(tmp_path, GPD, output=str(tmp_path / "other"))))
    with pytest.raises(ValueError, match="gpd has dynamic=-1"):
        load_config(path, {"method.gpd.dynamic": -1})
    with pytest.raises(ValueError, match="the student has a LoRA"):
        start(load_config(wan_distill_run(tmp_path, GPD, teacher=ALONE)))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    teacher = Teacher(TeacherConfig(kind="ground_truth"), CPU, half=False)
    with pytest.raises(ValueError, match=r"launch with multi_gpu\.yaml"):
        check(GPDConfig(), random_dit(TINY_DIT), teacher)
