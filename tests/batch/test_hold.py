"""Runs into one folder at the same time: each file is made by one of them, and what died holds nothing for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from vfe.batch.clips import Clip
from vfe.batch.given import GivenOptions
from vfe.batch.hold import Hold
from vfe.batch.option_files import OptionFiles
from vfe.batch.plan import Choices, FileTask, Made, Planner, Skipped
from vfe.batch.record import Record
from vfe.jobs.worker import SILENT_SECONDS, Worker


@pytest.fixture
def other() -> Iterator[Worker]:
    """A process that lives, and is not this one."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield Worker(Worker.this().host, process.pid, psutil.Process(process.pid).create_time())
    finally:
        process.communicate(b"\n")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "clip.mp4").write_bytes(b"a clip")
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "clip.mp4"


def planner(output: Path) -> Planner:
    choices = Choices(output.parent, GivenOptions(), {"model": "lite"})
    return Planner(choices, OptionFiles(output.parents[1]), Record(output.parent))


def planned(run: Planner, output: Path) -> FileTask:
    task = run.plan(Clip(output.parents[1] / "clip.mp4", Path("clip.mp4")))
    assert isinstance(task, FileTask), task
    return task


def held_by(worker: Worker, output: Path) -> Path:
    hold = Hold(output)
    hold.path.write_text(json.dumps(asdict(worker)))
    return hold.path


def test_what_another_run_is_at_is_skipped(output: Path, other: Worker) -> None:
    held = held_by(other, output)
    run = planner(output)
    skipped = run.begin(planned(run, output))
    assert skipped == Skipped(f"another run is at it ({other})")
    run.release()
    assert held.exists(), "it is the other's"


def test_what_another_run_made_meanwhile_is_done(output: Path) -> None:
    first, second = planner(output), planner(output)
    task, same = planned(first, output), planned(second, output)
    assert first.begin(task) is None
    output.write_bytes(b"restored")
    first.end(task, Made(3, 0.1))
    assert second.begin(same) == Skipped("done before")
    assert {path.name for path in output.parent.iterdir()} == {"clip.mp4", ".vfe-batch.jsonl"}


@pytest.mark.parametrize("kind", ["of a dead process", "of a number that is used again", "silent", "unreadable"])
def test_holds_of_the_dead_are_taken_over(kind: str, output: Path, other: Worker) -> None:
    elsewhere = replace(other, host="elsewhere")
    held = {
        "of a dead process": lambda: held_by(replace(other, pid=2**22 + 1), output),
        "of a number that is used again": lambda: held_by(replace(other, began=1.0), output),
        "silent": lambda: held_by(elsewhere, output),
        "unreadable": lambda: held_by(other, output),
    }[kind]()
    if kind == "unreadable":
        held.write_text("[" * 100_000)
    assert (Hold(output).take() is None) == kind.startswith("of"), "one that was heard of just now is left alone"
    long_ago = time.time() - SILENT_SECONDS - 9
    os.utime(held, (long_ago, long_ago))
    hold = Hold(output)
    assert hold.take() is None
    assert json.loads(held.read_text()) == asdict(Worker.this())
    hold.release()
    assert not held.exists()


def test_a_sign_of_life_is_seen_by_others(output: Path) -> None:
    hold = Hold(output)
    hold.take()
    os.utime(hold.path, (1, 1))
    hold.sign()
    assert hold.path.stat().st_mtime == 1, "not at every frame"
    hold._signed = float("-inf")
    hold.sign()
    assert hold.path.stat().st_mtime > 1
