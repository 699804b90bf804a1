"""A job folder that other hands edited gives one line, and never a traceback."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from tests.support.small_jobs import planned
from vfe.jobs.plan import Plan
from vfe.jobs.records import SegmentFiles


@pytest.fixture
def job(tmp_path: Path) -> Path:
    planned(write_clip(tmp_path / "clip.mkv", Clip(frames=61)))
    return tmp_path / "job"


def edited(change: Callable[[Any], object]) -> Callable[[str], str]:
    """What rewrites JSON after a change of what it holds."""

    def rewrite(text: str) -> str:
        raw = json.loads(text)
        change(raw)
        return json.dumps(raw)

    return rewrite


EDITS: tuple[Callable[[str], str], ...] = (
    lambda _: "",
    lambda _: "[" * 100_000,
    lambda _: "[1, 2]",
    lambda text: text[:-40],
    lambda text: text.replace("vfe-job-1", "vfe-job-9"),
    edited(lambda raw: raw.pop("segments")),
    edited(lambda raw: raw.update(segments=[])),
    edited(lambda raw: raw.update(segments=7)),
    edited(lambda raw: raw.update(segments=[{"start": 0, "stop": 10**30}])),
    edited(lambda raw: raw["segments"].pop(1)),
    edited(lambda raw: raw["segments"][0].update(start=-4)),
    edited(lambda raw: raw["segments"][0].update(start=True)),
    edited(lambda raw: raw.update(survey=3)),
    edited(lambda raw: raw.update(order=[])),
    edited(lambda raw: raw["arithmetic"].update(threads="all")),
    edited(lambda raw: raw["arithmetic"].update(threads=0)),
    edited(lambda raw: raw["arithmetic"]["window"].update(frames=2)),
    edited(lambda raw: raw["order"].update(files={"model": 3})),
    edited(lambda raw: raw["order"].update(chunks=["ffv1"])),
    edited(lambda raw: raw["order"].update(segment_frames=0)),
    edited(lambda raw: raw["order"]["options"].update(strength=10**400)),
    edited(lambda raw: raw["order"]["options"].update(region=[])),
    edited(lambda raw: raw["order"]["options"].update(overwrite=True)),
    edited(lambda raw: raw["order"]["options"].update(size=[0, 0])),
    edited(lambda raw: raw["order"]["model"].update(window={"frames": 0, "overlap": 0})),
    edited(lambda raw: raw["order"]["model"]["options"].update(attention="fast")),
    edited(lambda raw: raw["order"]["model"]["options"].update(loras=[{"path": "x", "strength": 1e9}])),
)


@pytest.mark.parametrize("command", [("segment", 0), ("job",)])
@pytest.mark.parametrize("number", range(len(EDITS)))
def test_an_edited_plan(
    number: int, command: tuple[object, ...], job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = job / "job.json"
    path.write_text(EDITS[number](path.read_text()))
    run = run_vfe(capsys, command[0], job, *command[1:])
    assert_one_line_error(run, str(path), "plan the job anew")


EDITS_OF_USE = (
    edited(lambda raw: raw["order"]["source"].update(path="/nowhere/film.mkv")),
    edited(lambda raw: raw["order"]["model"].update(name="nothing")),
    edited(lambda raw: raw["order"]["model"].update(device="abacus")),
    edited(lambda raw: raw["order"]["model"].update(dtype="fp3")),
    edited(lambda raw: raw["order"]["files"].update(model="0" * 64)),
    edited(lambda raw: raw["order"].update(result="/nowhere/film.txt")),
)


@pytest.mark.parametrize("number", range(len(EDITS_OF_USE)))
def test_a_plan_of_what_is_not_there(number: int, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = job / "job.json"
    path.write_text(EDITS_OF_USE[number](path.read_text()))
    assert_one_line_error(run_vfe(capsys, "segment", job, 0))


def test_an_edited_survey(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((job / "survey").iterdir()):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert_one_line_error(run_vfe(capsys, "job", job), "survey", "was changed")
        path.write_bytes(data)
    (job / "survey" / "more").write_text("")
    assert_one_line_error(run_vfe(capsys, "assemble", job), "survey", "was changed")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 100_000, '{"sha256": 1}', '{"size": 1e400}', "\0\1\2", '{"worker": {"pid": -1}}'],
)
def test_what_vouches_for_nothing(text: str, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = SegmentFiles(job, planned_id(job))
    files.chunk.write_bytes(b"no chunk")
    for suffix in (".ok", ".held", ".failed-1", ".failed-x"):
        files.chunk.with_suffix(suffix).write_text(text)
    run = run_vfe(capsys, "job", job)
    assert run.code == 0, run.err
    assert "0 done" in run.out
    assert_one_line_error(run_vfe(capsys, "assemble", job), "3 segments (0, 1, 2) are not restored")


def test_a_process_that_cannot_be(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = {"worker": {"host": platform.node(), "pid": 10**40, "began": 1.0}, "since": 1.0, "frames": -5}
    SegmentFiles(job, planned_id(job)).chunk.with_suffix(".held").write_text(json.dumps(held))
    run = run_vfe(capsys, "job", job)
    assert run.code == 0, run.err
    assert "0 running" in run.out


@pytest.mark.parametrize("path", ["nothing", ".", "clip.mkv"])
def test_what_is_no_job(path: str, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(run_vfe(capsys, "job", job.parent / path), path if path != "." else str(job.parent))


def planned_id(job: Path) -> str:
    """The name of the first segment's files."""
    return Plan.read(job).segment_id(0)
