"""Runs of methods with one optimizer that stop and go on have the bits of runs that did not stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.clips import Clip, write_clip
from tests.support.distill_run import distill_run, wan_distill_run
from tests.support.one_thread import one_thread as one_thread
from tests.support.run_state import state_of
from training.train import load_config, start

pytestmark = pytest.mark.slow

RUNS: dict[str, dict[str, Any]] = {
    "output": {"output": {"quantised": "fp8", "dists": 0.1}},
    "feature": {"feature": {"mask": "learned"}},
    "severity": {"severity": {"milder": 0.4}},
    "decoder": {"decoder": {"dim": 4}},
    "twin": {"twin": {}},
    "experts": {"experts": {"thresholds": [0.6], "rank": 4}},
    "head_steps": {"head_steps": {"blocks": 1, "most": 3}},
}


def run_file(folder: Path, name: str) -> Path:
    """A run with footage among its pairs, of which, where it can, what the teacher makes is kept."""
    footage = folder / "footage"
    footage.mkdir()
    write_clip(footage / "clip.mp4", Clip(frames=6))
    changes: dict[str, Any] = {
        "real": {"root": str(footage), "share": 0.5},
        "steps": 3,
        "eval": {"root": None, "every_steps": 99},
    }
    if name in ("output", "severity"):
        changes["kept"] = {"folder": str(folder / "kept"), "clips": 4}
    if name == "decoder":
        return wan_distill_run(folder, RUNS[name], teacher={"kind": "ground_truth"}, **changes)
    return distill_run(folder, RUNS[name], **changes)


@pytest.mark.parametrize("name", RUNS)
def test_stop_and_resume_equals_no_stop(tmp_path: Path, name: str) -> None:
    path = run_file(tmp_path, name)
    straight = start(load_config(path))
    before = [value.clone() for value in state_of(straight)]
    straight.train()
    stopped = {"output": str(tmp_path / "stopped")}
    start(load_config(path, stopped)).train(stop_after=1)
    resumed = start(load_config(path, stopped), resume=True)
    resumed.train()
    assert straight.progress.skipped == 0
    after = state_of(straight)
    assert all(torch.equal(a, b) for a, b in zip(after, state_of(resumed), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=False))
