"""FSDP2 on two CPU processes trains a student beside critics or a fake model as one process does, and resumes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.fsdp
from safetensors.torch import load_file
from torch import Tensor

from tests.support.distill_run import distill_run, trained
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

RATE, STEPS = 3e-4, 3
FAKE = {"lora": {"rank": 4, "alpha": 4.0}, "ratio": 2}
CRITICS = {
    "motion": {"critic": {"net": {"width": 4, "stages": 1, "temporal": False}}},
    "self_adversarial": {"critic": {"width": 8, "layers": 1}},
    "score_critic": {"width": 8},
}
RUNS: dict[str, tuple[dict[str, Any], int]] = {
    "critics": ({"method": {"twin": {}}, "extras": CRITICS}, 3),
    "dmd": ({"method": {"dmd": {"fake": FAKE}}}, 1),
    "w2svd": ({"method": {"w2svd": {"fake": FAKE}}, "extras": {"score_critic": {"width": 8}}}, 2),
}
"""What a run trains, and how many modules beside the student. At the step after the stop the students of two rest."""


@pytest.mark.parametrize("name", RUNS)
def test_sharded_processes_equal_one_and_resume(tmp_path: Path, name: str) -> None:
    if not hasattr(torch.distributed.fsdp, "fully_shard"):
        pytest.skip("FSDP2 needs torch 2.6")
    changes, beside = RUNS[name]
    files = {
        "student": {"lite": str(tmp_path / "teacher.safetensors")},
        "teacher": {"kind": "flow", "lite": str(tmp_path / "flow.safetensors")},
    }
    optim = {"lr": RATE, "warmup_steps": 0}
    run = {**files, **changes, "optim": optim, "steps": STEPS, "eval": {}, "output": str(tmp_path / "sharded")}
    path = distill_run(tmp_path, **run)
    for steps in ("1", str(STEPS - 1)):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        command = [*launcher, "-m", "tests.support.fsdp_on_cpu", str(path), steps]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one = trained(distill_run(tmp_path, **run | {"output": str(tmp_path / "one")}))
    ours, sharded = (load_file(folder / "last.safetensors") for folder in (one.output, tmp_path / "sharded"))
    assert ours.keys() == sharded.keys()
    assert all(torch.allclose(ours[key].float(), sharded[key].float(), atol=1e-5, rtol=1e-3) for key in ours)
    kept = torch.load(tmp_path / f"sharded/state/step-{STEPS:08d}/state.pt", weights_only=True)["modules"]
    assert len(kept) == len(one.stage.trainables[1:]) == beside
    for module, theirs in zip(one.stage.trainables[1:], kept, strict=True):
        assert share_apart(module.state_dict(), theirs) < 1e-3


def share_apart(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The share of the weights that are apart by over 3 % of what they can move."""
    assert theirs.keys() <= ours.keys()
    apart = torch.cat([(ours[name] - theirs[name]).abs().flatten() for name in theirs])
    return float((apart > 0.03 * RATE * STEPS).double().mean())
