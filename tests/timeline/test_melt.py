"""Projects of Kdenlive, rendered by its own engine: every frame of the results is that of the originals, to the bit."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")

import opentimelineio as otio

from tests.support.cli_run import run_vfe, use_stand_in
from tests.support.timelines import Tape, clip_of, melted, timeline_of, write_tape
from vfe.timeline.files import write_timeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("melt") is None, reason="no melt, which Debian has as a package"),
]
HOUR = 90000
EXACT = ("--strength", "0", "--crf", "0", "--handles", "3")
RATES = {"A001.mov": Fraction(25), "B002.mp4": Fraction(50), "C003.mkv": Fraction(30000, 1001),
         "D004.mp4": Fraction(24000, 1001), "E005.mp4": Fraction(30)}  # fmt: skip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    (folder := tmp_path / "models").mkdir()
    return use_stand_in(monkeypatch, folder)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (folder := tmp_path / "film").mkdir()
    for level, (name, rate) in enumerate(RATES.items(), start=1):
        timecode = "01:00:00:00" if name == "A001.mov" else ""
        write_tape(folder / name, Tape(frames=240, rate=rate, level=40 * level, timecode=timecode))
    return folder


def fast(speed: float) -> dict[str, Any]:
    return {"effects": [otio.schema.LinearTimeWarp(time_scalar=speed)]}


def cut(folder: Path, hour: int = 0) -> Any:  # noqa: ANN401
    """Overlaps, gaps, five rates and three speeds; `hour` is the timecode of A001."""

    def use(name: str, start: float, length: float, **more: Any) -> Any:  # noqa: ANN401
        begin = hour if name == "A001.mov" else 0
        media: dict[str, Any] = {"available": (begin, 240), "media_rate": float(RATES[name])}
        return clip_of((folder / name).as_uri(), begin + start, length, **media, **more)

    return timeline_of([
        use("A001.mov", 40, 20), use("B002.mp4", 10, 10), use("C003.mkv", 120, 30), use("A001.mov", 50, 20),
        otio.schema.Gap(duration=otio.opentime.RationalTime(5, 25)),
        use("A001.mov", 21, 10, **fast(2)), use("A001.mov", 21, 11, **fast(0.5)), use("D004.mp4", 110, 30),
        use("E005.mp4", 101, 30), use("B002.mp4", 31, 15), use("E005.mp4", 53, 20, **fast(3)),
    ])  # fmt: skip


@pytest.mark.parametrize("source", ["otio", "kdenlive"])
def test_every_frame_is_that_of_the_originals(
    film: Path, model: str, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    original, given, output = film / "original.kdenlive", film / f"cut.{source}", film / "new.kdenlive"
    timeline = cut(film)
    frames = round(timeline.duration().value)
    write_timeline(timeline, original)
    write_timeline(cut(film, HOUR if source == "otio" else 0), given)
    run = run_vfe(capsys, "conform", given, "-o", output, "--model", model, *EXACT)
    assert (run.code, run.err) == (0, "")
    assert "10 clips now read restored media" in run.out
    assert "film/A001.mov" not in output.read_text(encoding="utf-8")
    before, after = melted(original, frames), melted(output, frames)
    assert len(np.unique(before.reshape(frames, -1), axis=0)) > 0.8 * frames  # they do differ from each other
    differing = np.flatnonzero((before != after).reshape(frames, -1).any(1))
    assert differing.tolist() == []


def test_a_restored_frame_is_melted(film: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    original, output = film / "cut.kdenlive", film / "new.kdenlive"
    write_timeline(cut(film), original)
    assert run_vfe(capsys, "conform", original, "-o", output, "--model", model, "--crf", 0).code == 0
    change = melted(output, 60).astype(int) - melted(original, 60)
    assert 8 < change.mean() < 17


def test_what_a_project_cannot_hold_is_said(film: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    dissolve = otio.schema.Transition(
        transition_type="SMPTE_Dissolve",
        in_offset=otio.opentime.RationalTime(3, 25),
        out_offset=otio.opentime.RationalTime(3, 25),
    )
    clips = [clip_of(film / name, 50, 20, available=(0, 240)) for name in ("A001.mov", "D004.mp4")]
    write_timeline(timeline_of([clips[0], dissolve, clips[1], otio.schema.Stack(children=[])]), film / "cut.otio")
    run = run_vfe(capsys, "conform", film / "cut.otio", "-o", film / "a.kdenlive", "--model", model, "--dry-run")
    assert "note: 1 transitions are left out of the project: write .otio" in run.out
    assert "note: 1 sequences in the timeline are left out" in run.out
