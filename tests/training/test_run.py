"""The loop: it learns, resumes exactly, reports, exports what loads again, and refuses a bad config."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.lite_request import lite_request
from tests.support.tiny_lite import LITE_FUSION, LITE_PRIOR
from tests.support.training_set import write_run, write_training_set
from training.lite.net import with_prior
from training.run.config import RunConfig
from training.run.loop import Run
from training.run.optim import learning_rate
from training.stages.lite import LiteStage, LiteTrainConfig
from training.train import load_config, start
from vfe.loading.lite import load_lite_pipeline
from vfe.models.lite import LiteModel
from vfe.models.prior import DualCodebookPrior
from vfe.pipeline.one_step import WindowConfig
from vfe.weights.lite import read_lite_info, save_lite_model

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def train(config: RunConfig, command: str = "") -> Run:
    run = start(config, command)
    run.train()
    return run


def net(run: Run) -> LiteModel:
    assert isinstance(run.stage, LiteStage)
    return run.stage.net


def test_run_writes_curves_and_a_restorer_that_loads(tmp_path: Path, root: Path) -> None:
    run = train(load_config(write_run(tmp_path, root)), command="python -m training.train run.yaml")
    curves = json.loads((run.output / "curves.json").read_text())
    assert [row["step"] for row in curves["scores"]] == [4, 6]
    assert (run.output / "curves.png").stat().st_size > 1000
    info = read_lite_info(run.output / "best.safetensors")
    assert isinstance(run.config, LiteTrainConfig)
    assert info.config == run.config.model
    assert [path.name for path in sorted(run.output.glob("samples/*/*"))] == ["clip0.png"] * 2
    assert info.training["command"] == "python -m training.train run.yaml"
    assert info.training["data_items"] == 2
    assert str(tmp_path) not in json.dumps(info.training)
    pipeline = load_lite_pipeline(lite_request(run.output / "best.safetensors", torch.float32), WindowConfig(9, 1))
    video = torch.rand(1, 3, 5, 40, 40) * 2 - 1
    assert pipeline.restore(video).shape == video.shape


def test_a_run_starts_from_a_restorer_file(tmp_path: Path, root: Path) -> None:
    first = train(load_config(write_run(tmp_path, root)))
    init = str(first.output / "best.safetensors")
    config = load_config(write_run(tmp_path, root), {"init": init, "seed": 1, "output": str(tmp_path / "second")})
    started, kept = net(start(config)), net(first)
    assert torch.equal(started.codec.scale, kept.codec.scale)
    with first.average.applied():
        assert torch.allclose(started.context, kept.context, atol=2e-3)  # the file is in half precision
    fresh = load_config(write_run(tmp_path, root), {"seed": 1, "output": str(tmp_path / "third")})
    assert not torch.allclose(started.context, net(start(fresh)).context, atol=2e-3)
    with pytest.raises(ValueError, match="need to be the same"):
        start(load_config(write_run(tmp_path, root), {"init": init, "model.context_rows": 7}))


def test_a_run_goes_on_from_a_restorer_with_a_prior(tmp_path: Path, root: Path) -> None:
    """Its prior stays as it is and its fusion moves on; it cannot get a second prior."""
    plain = net(start(load_config(write_run(tmp_path, root))))
    with torch.no_grad():
        fused = with_prior(plain, DualCodebookPrior(LITE_PRIOR), replace(LITE_FUSION, layers=1))
        for parameter in fused.fusion.parameters():  # type: ignore[union-attr]
            parameter += 0.05
    save_lite_model(tmp_path / "fused.safetensors", fused, {})
    config = load_config(write_run(tmp_path, root), {"init": str(tmp_path / "fused.safetensors")})
    run = start(config)
    before = {name: value.clone() for name, value in net(run).state_dict().items()}
    run.train()
    moved = {name.partition(".")[0] for name, value in net(run).state_dict().items() if not value.equal(before[name])}
    assert moved == {"context", "dit", "fusion"}
    with pytest.raises(ValueError, match="has a prior: go on with it without `prior`"):
        with_prior(net(run), DualCodebookPrior(LITE_PRIOR), replace(LITE_FUSION, layers=1))


def test_training_lowers_the_loss(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.run.loop.LOG_EVERY_STEPS", 10)
    phases = [{"share": 1.0, "loss": {"space": "pixel"}}]
    overrides = {"eval.root": None, "eval.every_steps": 99, "optim.lr": 0.002, "data.reuse": 99}  # the same two clips
    config = load_config(write_run(tmp_path, root, phases=phases, steps=40), overrides)
    losses = [row["pixel"] for row in train(config).progress.losses]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.run.loop.TELL_EVERY_SKIPPED_STEPS", 2)
    monkeypatch.setattr("training.stages.lite.switched_loss", lambda prediction, *_: prediction.mean() * float("nan"))
    run = start(load_config(write_run(tmp_path, root), {"eval.root": None, "steps": 3}))
    before = [value.clone() for value in (*net(run).state_dict().values(), *run.average.values)]
    run.train()
    assert all(
        torch.equal(a, b) for a, b in zip(before, (*net(run).state_dict().values(), *run.average.values), strict=True)
    )
    assert run.progress.skipped == 3 == json.loads((run.output / "curves.json").read_text())["skipped"]
    lines = [line for line in capsys.readouterr().err.splitlines() if "not finite" in line]
    assert [line.partition("(")[2] for line in lines] == ["1 skipped so far)", "2 skipped so far)"]


def test_learning_rate_warms_up_and_decays(tmp_path: Path, root: Path) -> None:
    optim = load_config(write_run(tmp_path, root)).optim
    assert learning_rate(optim, 0, 0.0) < learning_rate(optim, 1, 0.0) == pytest.approx(optim.lr)
    assert learning_rate(optim, 100, 0.5) == pytest.approx(optim.lr / 2, rel=0.01)
    assert learning_rate(optim, 100, 1.0) == pytest.approx(optim.final_lr)


def test_minutes_end_a_run_and_carry_its_schedule(tmp_path: Path, root: Path) -> None:
    config = load_config(write_run(tmp_path, root), {"minutes": 0.0001, "steps": 10**6, "eval.root": None})
    assert train(config).progress.step == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("modell", {}, r"unknown keys \['modell'\]"),
        ("optim.lrr", 1.0, r"optim: unknown keys \['lrr'\]"),
        ("steps", "many", "steps: got 'many', needed int"),
        ("model.dit.window", [1, 4], "needed a list of 3"),
        ("phases", [{"share": 0.4, "loss": {}}], "add up to 0.4"),
        ("stage", "light", "stage is 'light'"),
        ("accumulate", 0, "needed 1 or more"),
        ("precision", "fp8", "needed auto, bf16, fp16"),
        ("model.dit.in_channels", 16, "768 channels"),
    ],
)
def test_a_bad_config_is_named(tmp_path: Path, root: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(write_run(tmp_path, root), {key: value})
