"""The score that chooses the best weights: a mix of fidelity and perception, as the run gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.training_set import write_run, write_training_set
from training.data.dev_set import MEASURES, DevSet, evaluate
from training.losses.perceptual import MultiScaleStructure
from training.run.best import BY_PSNR, WITH_PERCEPTION, check_names, check_weights, mixed
from training.run.config import EvalConfig
from training.run.loop import Run
from training.stages.clips import ClipStage
from training.train import load_config, start

CPU = torch.device("cpu")
PIXEL_WITH_DISTS = [{"share": 1.0, "loss": {"space": "pixel", "dists": 0.1}}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def stage_of(run: Run) -> ClipStage:
    assert isinstance(run.stage, ClipStage)
    return run.stage


def test_the_mix_is_a_weighted_sum() -> None:
    assert mixed({"psnr_gain": 2.0, "perceptual_gain": 0.1, "ssim_gain": 9.0}, WITH_PERCEPTION) == pytest.approx(3.0)
    assert mixed({"psnr_gain": 2.0, "perceptual_gain": 0.1}, BY_PSNR) == 2.0


@pytest.mark.parametrize("weights", [{}, {"psnr_gain": 0}, {"psnr_gain": "much"}, {"psnr_gain": float("nan")}])
def test_weights_that_choose_nothing_are_refused(weights: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needed a number for each score"):
        check_weights(weights)


def test_an_unknown_score_is_named() -> None:
    with pytest.raises(ValueError, match=r"best names lpips, needed some of .* scores: psnr_gain,"):
        check_names({"lpips": 1.0}, MEASURES)


def test_perception_keeps_the_sharp_where_psnr_keeps_the_blur(root: Path) -> None:
    """One restorer gives the clean clip blurred, the other with all its details and a shade too dark."""
    dev = DevSet(EvalConfig(root=str(root), clips=1, frames=5))

    def scores(change: Callable[[Tensor], Tensor]) -> dict[str, float]:
        clean = [pair[2].permute(3, 0, 1, 2)[None].float() / 127.5 - 1 for pair in dev.pairs]
        return evaluate(lambda _: change(clean.pop(0)), dev, CPU, "no", MultiScaleStructure())

    blurred = scores(lambda video: F.avg_pool3d(video, (1, 7, 7), 1, (0, 3, 3), count_include_pad=False))
    dark = scores(lambda video: video - 0.11)
    assert mixed(blurred, BY_PSNR) > mixed(dark, BY_PSNR)
    assert mixed(blurred, WITH_PERCEPTION) < mixed(dark, WITH_PERCEPTION)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, BY_PSNR),
        ({"phases": PIXEL_WITH_DISTS}, WITH_PERCEPTION),
        ({"best": {"ssim_gain": 2}}, {"ssim_gain": 2}),
    ],
)
def test_a_stage_with_a_perceptual_loss_mixes(
    tmp_path: Path, root: Path, changes: dict[str, Any], expected: dict[str, float]
) -> None:
    stage = stage_of(start(load_config(write_run(tmp_path, root, **changes))))
    assert dict(stage.best) == dict(expected)
    scores = stage.evaluate()
    assert scores["score"] == pytest.approx(mixed(scores, expected))
    assert ("perceptual_gain" in scores) == ("phases" in changes)


def test_a_run_names_the_score_that_it_does_not_have(tmp_path: Path, root: Path) -> None:
    path = write_run(tmp_path, root, best={"perceptual_gain": 1})
    with pytest.raises(ValueError, match="best names perceptual_gain"):
        start(load_config(path))


def test_a_run_is_not_resumed_by_another_score(tmp_path: Path, root: Path) -> None:
    path = write_run(tmp_path, root)
    start(load_config(path)).train(stop_after=1)
    assert start(load_config(path), resume=True).progress.step == 1
    with pytest.raises(ValueError, match="the run was scored by best="):
        start(load_config(path, {"best": {"ssim_gain": 1}}), resume=True)


def test_what_older_runs_saved_goes_on(tmp_path: Path, root: Path) -> None:
    stage = stage_of(start(load_config(write_run(tmp_path, root))))
    stage.load_state({})
