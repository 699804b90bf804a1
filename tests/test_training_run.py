"""The loop: it learns, resumes exactly, reports, exports what loads again, and refuses a bad config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training_set import write_run, write_training_set
from training.config import load_config
from training.train import Run, learning_rate, train
from vfe.checkpoint import load_pipeline, read_metadata
from vfe.pipeline import WindowConfig


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def weights(run: Run) -> list[torch.Tensor]:
    return [*run.net.state_dict().values(), *run.ema.values]


def test_stop_and_resume_equals_no_stop(tmp_path: Path, root: Path) -> None:
    straight = train(load_config(write_run(tmp_path, root)))
    stopped = {"output": str(tmp_path / "stopped")}
    train(load_config(write_run(tmp_path, root), stopped), stop_after=4)
    resumed = train(load_config(write_run(tmp_path, root), stopped), resume=True)
    assert resumed.progress.step == straight.progress.step == 6
    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(resumed), strict=True))


def test_run_writes_curves_and_a_restorer_that_loads(tmp_path: Path, root: Path) -> None:
    run = train(load_config(write_run(tmp_path, root)), command="python -m training.train run.yaml")
    curves = json.loads((run.output / "curves.json").read_text())
    assert [row["step"] for row in curves["scores"]] == [4, 6]
    assert (run.output / "curves.png").stat().st_size > 1000
    info = read_metadata(run.output / "best.safetensors")
    assert info.config == run.config.model
    assert info.training["command"] == "python -m training.train run.yaml"
    assert info.training["data_items"] == 2
    assert str(tmp_path) not in json.dumps(info.training)
    pipeline = load_pipeline(run.output / "best.safetensors", torch.device("cpu"), torch.float32, WindowConfig(9, 1))
    video = torch.rand(1, 3, 5, 40, 40) * 2 - 1
    assert pipeline.restore(video).shape == video.shape


def test_a_run_starts_from_a_restorer_file(tmp_path: Path, root: Path) -> None:
    first = train(load_config(write_run(tmp_path, root)))
    init = str(first.output / "best.safetensors")
    config = load_config(write_run(tmp_path, root), {"init": init, "output": str(tmp_path / "second")})
    started, kept = Run(config, False, "").net, first.net
    assert torch.equal(started.codec.scale, kept.codec.scale)
    assert not torch.equal(started.context, Run(load_config(write_run(tmp_path, root)), False, "").net.context)
    with pytest.raises(ValueError, match="need to be the same"):
        train(load_config(write_run(tmp_path, root), {"init": init, "model.context_rows": 7}))


def test_training_lowers_the_loss(tmp_path: Path, root: Path) -> None:
    config = load_config(
        write_run(tmp_path, root, stages=[{"share": 1.0, "loss": {"space": "pixel"}}], steps=100),
        {"eval.root": None, "optim.lr": 0.002},
    )
    losses = [row["pixel"] for row in train(config).progress.losses]
    assert losses[-1] < losses[0]


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.switched_loss", lambda prediction, *_: prediction.mean() * float("nan"))
    run = train(load_config(write_run(tmp_path, root), {"eval.root": None, "steps": 2}))
    assert run.progress.skipped == 2
    assert all(torch.isfinite(value).all() for value in weights(run))


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
        ("stages", [{"share": 0.4, "loss": {}}], "add up to 0.4"),
        ("model.dit.in_channels", 16, "768 channels"),
    ],
)
def test_a_bad_config_is_named(tmp_path: Path, root: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(write_run(tmp_path, root), {key: value})


def test_the_shipped_configs_are_valid() -> None:
    for path in (Path(__file__).parent.parent / "training/configs").glob("*.yaml"):
        assert load_config(path).steps > 0
