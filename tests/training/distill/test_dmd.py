"""DMD and W2SVD as methods of the stage: their laws, who is trained, resuming, and a tiny Wan model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.distill_run import distill_run, trained, wan_distill_run
from tests.support.one_thread import one_thread as one_thread
from tests.support.run_state import state_of
from tests.support.wan_training import write_wan_files
from training.distill.matching import TauConfig
from training.distill.methods.dmd import DmdConfig, DmdTerm, GuidanceConfig, LowNoiseConfig, TransportConfig
from training.distill.methods.w2svd import W2svdConfig
from training.distill.restorer import LatentRestorer
from training.distill.scores import FakeConfig, FakeScore
from training.run.loop import Run
from training.run.stage import Draw
from training.train import load_config, start
from training.wan.lora import LoraConfig, base_state
from vfe.models.dit.model import WanDiT
from vfe.weights.lite import load_lite_model

LORA = {"lora": {"rank": 4, "alpha": 4.0}, "ratio": 2}
DMD = {"dmd": {"fake": LORA}}
W2SVD = {"w2svd": {"fake": LORA}}
UNSCORED: dict[str, Any] = {"eval": {"root": None, "every_steps": 99}}
CRITIC = {"extras": {"score_critic": {"width": 8}}}


def flow_run(folder: Path, method: dict[str, Any], **changes: Any) -> Path:  # noqa: ANN401
    """A student that moves something, and a flow model."""
    files = {
        "student": {"lite": str(folder / "teacher.safetensors")},
        "teacher": {"kind": "flow", "lite": str(folder / "flow.safetensors")},
    }
    return distill_run(folder, method, **{**files, **UNSCORED, **changes})


def started(folder: Path, method: dict[str, Any], stir: float = 0.0) -> Run:
    """A run at its beginning, its fake model moved by `stir` from the real one."""
    run = start(load_config(flow_run(folder, method, output=str(folder / "-".join(method)))))
    generator = torch.Generator().manual_seed(3)
    for parameter in fake_of(run).parameters():
        parameter.data += stir * torch.randn(parameter.shape, generator=generator)
    return run


def fake_of(run: Run) -> FakeScore:
    fake = run.stage.trainables[1]
    assert isinstance(fake, FakeScore)
    return fake


def first_step(run: Run, index: int = 0) -> tuple[dict[str, float], dict[str, Tensor | None]]:
    """The terms of a module on the first batch, and the gradients of the weights of all modules by name."""
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    terms = run.stage.trainables[index](batch, Draw(0, 0, 0.0, run.slots)).terms
    torch.stack(list(terms.values())).sum().backward()
    gradients = {
        f"{number}.{name}": parameter.grad
        for number, module in enumerate(run.stage.trainables)
        for name, parameter in module.named_parameters()
    }
    return {name: float(term.detach()) for name, term in terms.items()}, gradients


def student_of(run: Run) -> LatentRestorer:
    student = run.stage.trainables[0].get_submodule("student")
    assert isinstance(student, LatentRestorer)
    return student


def moved(gradients: dict[str, Tensor | None]) -> set[str]:
    return {name.partition(".")[0] for name, gradient in gradients.items() if gradient is not None}


@pytest.mark.slow
@pytest.mark.parametrize("method", [DMD, {"w2svd": {"fake": LORA, "reg": 0.0}}], ids=["dmd", "w2svd"])
def test_a_fake_model_that_is_the_real_one_moves_nothing(tmp_path: Path, method: dict[str, Any]) -> None:
    terms, _ = first_step(started(tmp_path, method))
    assert terms.pop(*method) == 0
    assert terms["latent"] > 0


@pytest.mark.slow
def test_w2svd_with_a_weak_scale_of_0_is_dmd_to_the_bit(tmp_path: Path) -> None:
    plain, gradients = first_step(started(tmp_path, DMD, 0.1))
    same, same_gradients = first_step(started(tmp_path, {"w2svd": {"fake": LORA, "weak": 0.0, "reg": 0.0}}, 0.1))
    other, _ = first_step(started(tmp_path, W2SVD, 0.1))
    assert plain["dmd"] == same["w2svd"] != other["w2svd"]
    assert plain["dmd"] > 0
    assert moved(gradients) == {"0"}
    for (name, a), b in zip(gradients.items(), same_gradients.values(), strict=True):
        assert (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b)), name


@pytest.mark.slow
@pytest.mark.parametrize("method", [DMD, W2SVD], ids=["dmd", "w2svd"])
def test_each_turn_trains_its_own(tmp_path: Path, method: dict[str, Any]) -> None:
    run = started(tmp_path, method, 0.1)
    scores = fake_of(run)._scores
    backbone = {name: x.clone() for name, x in scores.flow.state_dict().items() if ".lora_" not in name}
    assert moved(first_step(run)[1]) == {"0"}
    for module in run.stage.trainables:
        module.zero_grad()
    assert moved(first_step(run, 1)[1]) == {"1"}
    first, second = run.stage.trainables
    assert [first.rests(step) for step in range(5)] == [False, True, False, True, False]
    assert not any(second.rests(step) for step in range(5))
    run.train(3)
    after = scores.flow.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in backbone.items())
    assert scores.real(torch.zeros(1, 768, 2, 4, 4), torch.tensor([0.5])).requires_grad is False


@pytest.mark.slow
@pytest.mark.parametrize(("method", "extras", "optimizers"), [(DMD, {}, 2), (W2SVD, CRITIC, 3)], ids=["two", "three"])
def test_stop_and_resume_equals_no_stop(
    tmp_path: Path, method: dict[str, Any], extras: dict[str, Any], optimizers: int
) -> None:
    path = flow_run(tmp_path, method, steps=3, **extras)
    straight = start(load_config(path, {"output": str(tmp_path / "straight")}))
    straight.train()
    start(load_config(path)).train(stop_after=1)
    torch.manual_seed(99)
    resumed = start(load_config(path), resume=True)
    resumed.train()
    assert len(resumed.optimizers) == optimizers
    assert all(torch.equal(a, b) for a, b in zip(state_of(straight), state_of(resumed), strict=True))
    load_lite_model(resumed.output / "last.safetensors", torch.device("cpu"), torch.float32)


@pytest.mark.slow
def test_the_switches_add_what_they_say(tmp_path: Path) -> None:
    run = started(tmp_path, DMD, 0.1)
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    term = next(part for part in run.stage.trainables[0].modules() if isinstance(part, DmdTerm))
    switches = {
        "plain": DmdConfig(),
        "vsd": DmdConfig(vsd=True),
        "transport": DmdConfig(transport=TransportConfig(weight=0.5)),
        "phase": DmdConfig(tau=TauConfig(phase=(0.5, 0.6))),
        "low_noise": DmdConfig(tau=TauConfig(shift=1.0), low_noise=LowNoiseConfig(split=0.97)),
        "guidance": DmdConfig(guidance=GuidanceConfig(low=1.0, high=1.0)),
    }
    terms = {}
    for name, term.config in switches.items():
        z_hq = torch.zeros_like(batch.z_lq)
        found = term(student_of(run), batch, z_hq, Draw(0, 0, 0.0, run.slots))
        terms[name] = {key: float(value) for key, value in found.items()}
    plain = terms.pop("plain")
    assert terms.pop("guidance") == plain
    assert all(set(found) == set(plain) for name, found in terms.items() if name != "low_noise")
    assert all(found["dmd"] != plain["dmd"] for found in terms.values())
    assert terms["low_noise"]["low_noise"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("method", [DMD, W2SVD], ids=["dmd", "w2svd"])
def test_a_lora_on_wan_learns(tmp_path: Path, method: dict[str, Any]) -> None:
    """With recomputation, and with guidance for DMD, as Wan's flow model takes prompts."""
    files = write_wan_files(tmp_path / "wan")
    teacher = {"kind": "flow", "wan": files.config(None)}
    if method is DMD:
        method = {"dmd": {"fake": LORA, "guidance": {"high": 3.0, "negative": str(files.context)}}}
    run = trained(wan_distill_run(tmp_path, method, teacher=teacher, steps=3, checkpointing=True, **UNSCORED))
    assert run.progress.skipped == 0
    student, flow = run.stage.trainables[0].get_submodule("student.model.dit"), fake_of(run)._scores.flow.dit
    assert isinstance(student, WanDiT)
    frozen, own = base_state(flow), base_state(student)
    assert all(value.data_ptr() == own[name].data_ptr() for name, value in frozen.items())  # one copy of all of it
    assert (run.output / "last.safetensors").exists()
    assert all(p.abs().sum() > 0 for p in fake_of(run).parameters())


def test_configs_that_teach_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="0 <= weak < strong: with equal scales"):
        W2svdConfig(strong=0.5, weak=0.5)
    with pytest.raises(ValueError, match="without a negative prompt"):
        GuidanceConfig(high=2.0)
    with pytest.raises(ValueError, match=r"fake\.lora\.init is given"):
        FakeConfig(lora=LoraConfig(init="x"))
    for wrong in (
        lambda: DmdConfig(weight=0),
        lambda: TransportConfig(epsilon=0),
        lambda: LowNoiseConfig(split=1),
        lambda: FakeConfig(ratio=0),
        lambda: W2svdConfig(reg=-1),
    ):
        with pytest.raises(ValueError, match="needed"):
            wrong()


def test_a_teacher_that_is_no_flow_model_is_refused(tmp_path: Path) -> None:
    restorer = {"kind": "restorer", "lite": str(tmp_path / "teacher.safetensors")}
    with pytest.raises(ValueError, match="method dmd needs a flow model"):
        start(load_config(flow_run(tmp_path, DMD, teacher=restorer)))
