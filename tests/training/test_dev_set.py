"""The scores of a run on its dev clips, and that the documents say what each is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from torch import Tensor

from tests.support.paths import ROOT
from tests.support.training_set import write_training_set
from training.data.dev_set import LEVELS, MEASURES, DevSet, evaluate, to_video
from training.run.config import EvalConfig

CPU = torch.device("cpu")


@cache
def dev_set() -> DevSet:
    with TemporaryDirectory() as folder:
        root = write_training_set(Path(folder) / "data")
        return DevSet(EvalConfig(root=str(root), clips=1, frames=5))


def unchanged() -> dict[str, float]:
    """The scores of a restorer that gives back what it gets."""
    return evaluate(lambda video: video, dev_set(), CPU, "no")


def test_each_clip_is_scored_at_each_level() -> None:
    assert [level for level, _, _ in dev_set().pairs] == list(LEVELS)


def test_the_input_itself_gains_nothing() -> None:
    scores = unchanged()
    assert scores["flicker_ratio"] == pytest.approx(1, abs=1e-3)
    assert all(scores[name] == pytest.approx(0, abs=1e-3) for name in scores if "_gain" in name)


def test_the_clean_clip_gains_and_has_all_details() -> None:
    clean = [pair[2] for pair in dev_set().pairs]

    def perfect(video: Tensor) -> Tensor:
        del video
        return clean.pop(0).permute(3, 0, 1, 2)[None].float() / 127.5 - 1

    scores = evaluate(perfect, dev_set(), CPU, "no")
    assert min(value for name, value in scores.items() if "_gain" in name) > 0
    assert scores["detail_ratio"] == pytest.approx(1, abs=1e-3)


def test_what_is_measured_is_listed() -> None:
    assert set(unchanged()) == set(MEASURES)


def test_a_distance_adds_a_gain() -> None:
    """By a distance of our own, of a restorer that gives the middle grey, rounded to 8 bits."""
    scores = evaluate(torch.zeros_like, dev_set(), CPU, "no", lambda a, b: (a - b).abs().mean())
    gains = []
    for _, degraded, clean in dev_set().pairs:
        lq, hq = (to_video(frames, CPU) for frames in (degraded, clean))
        gains.append(float((lq - hq).abs().mean() - (1 / 255 - hq).abs().mean()))
    assert set(scores) == {*MEASURES, "perceptual_gain"}
    assert scores["perceptual_gain"] == pytest.approx(sum(gains) / len(gains), abs=1e-4)


def test_every_score_is_in_the_documents() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    names = {name.partition(".")[0] for name in (*MEASURES, "perceptual_gain")}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
