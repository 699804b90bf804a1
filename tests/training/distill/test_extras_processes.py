"""Two processes train a student and two critics, a student and a fake model, or experts, as one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.distill_run import distill_run, trained
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

RATE, STEPS, EPS = 3e-4, 2, 1e-4
EXTRAS = {
    "motion": {"critic": {"net": {"width": 4, "stages": 1, "temporal": False}}},
    "self_adversarial": {"critic": {"width": 8, "layers": 1}},
}


TWIN = {"method": {"twin": {}}, "extras": EXTRAS}
W2SVD = {"method": {"w2svd": {"fake": {"lora": {"rank": 4, "alpha": 4.0}, "ratio": 1}}}}


EXPERTS = {"method": {"experts": {"thresholds": [0.6], "rank": 4}}, "teacher": {"kind": "ground_truth"}}


@pytest.mark.parametrize(
    ("changes", "modules"), [(TWIN, 3), (W2SVD, 2), (EXPERTS, 1)], ids=["twin", "w2svd", "experts"]
)
def test_two_processes_equal_one(tmp_path: Path, changes: dict[str, Any], modules: int) -> None:
    """To 3 % of what a weight can move; AdamW's usual eps would make whole steps of the rounding of tiny gradients."""
    optim = {"lr": RATE, "warmup_steps": 0, "eps": EPS}
    files = {
        "student": {"lite": str(tmp_path / "teacher.safetensors")},
        "teacher": {"kind": "flow", "lite": str(tmp_path / "flow.safetensors")},
    }
    path = distill_run(tmp_path, **{**files, **changes}, optim=optim, steps=STEPS, eval={})
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, "-m", "training.train", str(path), "--set", f"output={tmp_path / 'two'}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    two = torch.load(tmp_path / f"two/state/step-{STEPS:08d}/state.pt", weights_only=True)["modules"]
    one = trained(path).stage.trainables
    assert len(one) == len(two) == modules
    for module, theirs in zip(one, two, strict=True):
        ours = {name: value for name, value in module.state_dict().items() if name in theirs}
        assert ours.keys() == theirs.keys()
        assert max(float((ours[name] - theirs[name]).abs().max()) for name in ours) < 0.03 * RATE * STEPS
