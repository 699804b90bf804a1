"""Runs that are killed and go on, and runs of two processes, end with the weights of one that just ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed.fsdp
from safetensors.torch import load_file

from tests.support.one_thread import one_thread as one_thread
from tests.support.paths import ROOT
from tests.support.run_state import state_of
from tests.support.training_set import write_run, write_training_set
from training.run.loop import Run
from training.train import load_config, start
from vfe.weights.lite import read_lite_info

pytestmark = pytest.mark.slow

STEPS, SAVE_EVERY = 9, 3
EPS = 1e-6  # above the rounding of the smallest gradients


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def finished(path: Path, output: Path) -> Run:
    overrides = {"output": str(output), "eval.root": None, "eval.every_steps": 99}
    run = start(load_config(path, overrides), resume=True)
    run.train()
    return run


def test_stop_and_resume_equals_no_stop(tmp_path: Path, root: Path) -> None:
    path = write_run(tmp_path, root)
    straight = finished(path, tmp_path / "straight")
    stopped = start(load_config(path))
    stopped.train(stop_after=4)
    resumed = finished(path, stopped.output)
    assert resumed.progress.step == straight.progress.step == 6
    assert all(torch.equal(a, b) for a, b in zip(state_of(straight), state_of(resumed), strict=True))


def test_killed_at_any_moment_a_run_goes_on_to_the_same_weights(tmp_path: Path, root: Path) -> None:
    """Four times: before the first checkpoint, at a later step, in the middle of a checkpoint, and after one."""
    path = write_run(tmp_path, root, steps=STEPS, save_every=SAVE_EVERY, output=str(tmp_path / "killed"))
    first, later = np.random.default_rng(4).integers([0, SAVE_EVERY], [SAVE_EVERY, 2 * SAVE_EVERY])
    left = []
    for moment, step in (("step", first), ("step", later), ("saving", 6), ("renamed", 9)):
        child = run_python("-m", "tests.support.killed_run", str(path), moment, str(step))
        assert child.returncode == -signal.SIGKILL, child.stderr
        left.append([p.name for p in sorted((tmp_path / "killed").glob("state/*"))])
    assert left == [
        [],
        ["step-00000003"],
        ["step-00000003", "step-00000006.partial"],
        ["step-00000006", "step-00000009"],
    ]
    resumed, straight = finished(path, tmp_path / "killed"), finished(path, tmp_path / "straight")
    assert resumed.progress.step == straight.progress.step == STEPS
    assert all(torch.equal(a, b) for a, b in zip(state_of(straight), state_of(resumed), strict=True))


def test_two_processes_equal_one_at_the_same_global_batch(tmp_path: Path, root: Path) -> None:
    """Each in two pieces. To 1e-5 in float32: the sums over clips are taken in another order.

    AdamW's usual eps would make a hundredth of a step of the rounding of tiny gradients. The one is a process of its
    own too, as what other tests leave behind in this one changes the rounding.
    """
    data = {"root": str(root), "frames": 5, "side": 32, "batch": 4, "segment": 6, "reuse": 2}
    path = write_run(tmp_path, root, data=data, optim={"warmup_steps": 2, "eps": EPS}, steps=4, accumulate=2)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    states = []
    for name, launched_by in (("one", ()), ("two", launcher)):
        changes = ("--set", "eval.root=null", "eval.every_steps=99", f"output={tmp_path / name}")
        done = run_python(*launched_by, "-m", "training.train", str(path), *changes)
        assert done.returncode == 0, done.stderr
        states.append(torch.load(tmp_path / name / "state/step-00000004/state.pt", weights_only=True))
    one, two = states
    assert read_lite_info(tmp_path / "two/last.safetensors").training["processes"] == 2 == len(two["random"])
    [ours], [theirs] = one["modules"], two["modules"]
    assert ours.keys() == theirs.keys()
    pairs = [*((ours[name], theirs[name]) for name in ours), *zip(one["average"], two["average"], strict=True)]
    assert max(float((a - b).abs().max()) for a, b in pairs) < 1e-5


def test_sharded_processes_equal_one_and_resume(tmp_path: Path, root: Path) -> None:
    """FSDP2 on two CPU processes, stopped in between; the files that users load are compared, in half precision."""
    if not hasattr(torch.distributed.fsdp, "fully_shard"):
        pytest.skip("FSDP2 needs torch 2.6")
    data = {"root": str(root), "frames": 5, "side": 32, "batch": 4, "segment": 6, "reuse": 2}
    evaluation = {"root": str(root), "clips": 1, "frames": 5, "every_steps": 4}
    changes = {"data": data, "eval": evaluation, "steps": 4, "accumulate": 2}
    path = write_run(tmp_path, root, output=str(tmp_path / "sharded"), **changes)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    for steps in ("3", "1"):
        done = run_python(*launcher, "-m", "tests.support.fsdp_on_cpu", str(path), steps)
        assert done.returncode == 0, done.stderr
    one = start(load_config(path, {"output": str(tmp_path / "one")}))
    one.train()
    for name in ("best", "last"):
        ours, theirs = (load_file(folder / f"{name}.safetensors") for folder in (one.output, tmp_path / "sharded"))
        assert ours.keys() == theirs.keys()
        assert all(torch.allclose(ours[key].float(), theirs[key].float(), atol=1e-5, rtol=1e-3) for key in ours)
    facts = read_lite_info(tmp_path / "sharded/best.safetensors").training
    assert facts["processes"] == 2
    assert facts["dev_gains"]["psnr_gain"] == pytest.approx(one.progress.best_score, abs=1e-3)
