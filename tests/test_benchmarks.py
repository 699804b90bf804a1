"""The benchmark programs: what they compute and print, with a stand-in for the score script."""

from __future__ import annotations

import json
import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest
import torch

from benchmarks import frontier, own_score, quality, speed, versions
from benchmarks.machine import peak_rss, table
from benchmarks.quality import Summary, enhance_command, goals, report_text
from benchmarks.saving import without_nan
from benchmarks.speed import Machine, Measurement, make_clip
from benchmarks.traffic import cost_of
from tests.support.clips import Clip, write_clip

pytestmark = pytest.mark.slow

LOW = {
    "psnr": 30.0,
    "face_psnr": 29.0,
    "ssim": 0.85,
    "detail": 0.4,
    "warp": 4.0,
    "percept": 0.03,
    "id": 0.13,
    "colour": -0.6,
}
BETTER = {
    "psnr": 31.5,
    "face_psnr": 30.4,
    "ssim": 0.92,
    "detail": 0.7,
    "warp": 4.3,
    "percept": 0.02,
    "id": 0.12,
    "colour": 0.5,
}
RUN = Measurement(100, 512, 512, 2.0, 5.0, 8.0, 0.5, 3.5, 1.0, 400.0, 900.0, None)
MACHINE = Machine("A CPU, 2 cores", "cpu", "fp32", 2, "lite", "2.13.0", "3.11.7")


def summary(**changed: float) -> Summary:
    return {"mild": {"lq": LOW, "out": BETTER}, "all": {"lq": LOW, "out": {**BETTER, **changed}}}


def test_all_goals_can_be_reached() -> None:
    assert all(goal.reached for goal in goals(summary()))


@pytest.mark.parametrize(
    ("name", "value"),
    [("psnr", 30.7), ("face_psnr", 30.2), ("ssim", 0.89), ("detail", 0.5), ("warp", 4.5), ("id", 0.14)],
)
def test_each_goal_can_be_missed(name: str, value: float) -> None:
    assert sum(not goal.reached for goal in goals(summary(**{name: value}))) == 1


def test_a_level_below_the_input_is_named() -> None:
    bad: Summary = {**summary(), "mild": {"lq": LOW, "out": {**BETTER, "ssim": 0.84}}}
    missed = [goal for goal in goals(bad) if not goal.reached]
    assert [goal.measured for goal in missed] == ["SSIM at mild"]


@pytest.mark.parametrize(("name", "value"), [("percept", 0.026), ("id", 0.127)])
def test_a_level_has_goals_of_its_own(name: str, value: float) -> None:
    missed: Summary = {**summary(), "mild": {"lq": LOW, "out": {**BETTER, name: value}}}
    assert [goal.reached for goal in goals(missed)].count(False) == 1


def test_a_shift_of_colour_counts_in_size() -> None:
    missed = [goal for goal in goals(summary(colour=-0.8)) if not goal.reached]
    assert len(missed) == 2, "above what is allowed, and worse than the input"


def test_quality_report() -> None:
    text = report_text(summary(), {"model": "lite"})
    assert "| mild | 30 → 31.5 |" in text
    assert text.endswith("model lite.")


def test_the_score_script_gets_the_command_back_whole(tmp_path: Path) -> None:
    model = tmp_path / "a {b} c.safetensors"
    words = [part.format(input="in.mp4", output="out.mp4") for part in shlex.split(enhance_command(model, "--crf 9"))]
    fixed = ["-m", "vfe", "enhance", "in.mp4", "-o", "out.mp4", "--overwrite"]
    assert words[1:] == [*fixed, "--model", str(model), "--crf", "9"]


SCORE = """import json, pathlib, sys
value = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert "{input}" in value["--enhance"] and "{output}" in value["--enhance"]
pathlib.Path(value["--json"]).write_text(json.dumps({"summary": %s, "rows": [value["--frames"], value.get("--seed")]}))
"""


def test_quality_runs_the_script_and_writes_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score, model, results = tmp_path / "score.py", tmp_path / "model.safetensors", tmp_path / "results"
    score.write_text(SCORE % json.dumps(summary()))
    model.write_bytes(b"weights")
    arguments = ["--score", str(score), "--data", str(tmp_path), "--model", str(model), "--output", str(results)]
    quality.main([*arguments, "--frames", "9", "--seed", "2"])
    assert json.loads((results / "quality.json").read_text())["rows"] == ["9", "2"]
    assert "9 frames each, seed 2" in capsys.readouterr().out
    quality.main([*arguments, "--frames", "9", "--strict"])
    raw = json.loads((results / "quality.json").read_text())
    assert raw["summary"] == summary()
    assert raw["rows"] == ["9", None]
    assert (results / "quality.md").read_text() == capsys.readouterr().out
    score.write_text("raise SystemExit(3)")
    with pytest.raises(SystemExit) as stop:
        quality.main(arguments)
    assert stop.value.code == 3


def test_quality_by_our_own_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = tmp_path / "data" / "hq_video"
    clean.mkdir(parents=True)
    for name in ("a", "b", "c"):
        write_clip(clean / f"{name}.mp4", Clip(frames=3))
    copy = shlex.join([sys.executable, "-c", "import shutil, sys; shutil.copytree(*sys.argv[1:])"])
    work = own_score.Work(clean.parent, ["mild", "severe"], clips=2, frames=2)
    raw = own_score.measure(work, tmp_path / "kept", f"{copy} {{input}} {{output}}", list(quality.FIGURES))
    assert [(row["clip"], row["level"]) for row in raw["rows"]] == [
        (clip, level) for level in ("mild", "severe") for clip in ("a", "b")
    ]
    found = raw["summary"]
    assert found["mild"]["out"]["psnr"] == found["mild"]["lq"]["psnr"] > found["severe"]["lq"]["psnr"]
    assert found["all"]["lq"]["psnr"] == pytest.approx(
        (found["mild"]["lq"]["psnr"] + found["severe"]["lq"]["psnr"]) / 2
    )
    again = work._replace(seed=1, levels=["severe"], clips=1)
    other = own_score.measure(again, tmp_path / "other", f"{copy} {{input}} {{output}}", list(quality.FIGURES))
    assert 0 < abs(other["rows"][0]["lq"]["psnr"] - raw["rows"][2]["lq"]["psnr"]) < 1  # other noise
    assert math.isnan(found["all"]["out"]["percept"])
    text = report_text(found, {"model": "a copy"})
    assert "| mild |" in text
    assert "not judged → not judged" in text
    assert "nan" not in text
    assert without_nan(raw)["summary"]["all"]["out"]["percept"] is None
    assert without_nan(raw)["rows"][0]["clip"] == "a"
    capsys.readouterr()


def test_strict_fails_on_a_missed_goal(tmp_path: Path) -> None:
    score, model = tmp_path / "score.py", tmp_path / "model.safetensors"
    score.write_text(SCORE % json.dumps(summary(psnr=30.0)))
    model.write_bytes(b"weights")
    arguments = ["--score", str(score), "--data", str(tmp_path), "--model", str(model), "--output", str(tmp_path)]
    quality.main(arguments)
    with pytest.raises(SystemExit) as stop:
        quality.main([*arguments, "--strict"])
    assert stop.value.code == 1


def test_speed_report() -> None:
    text = speed.report_text([RUN, replace(RUN, frames=600, memory_peak=None)], MACHINE)
    assert "| 100 frames 512x512 | 20.0 | 5.0 | 0.5 | 3.5 | 1.0 | 900 MiB | 400 MiB |" in text
    assert "not measured" in text
    assert "A CPU, 2 cores" in text
    assert "GPU memory" in speed.report_text([replace(RUN, gpu_peak=10.0)], MACHINE)


def test_two_models_are_measured_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes twice as long has half the speed; which comes first alternates."""
    order: list[str] = []

    def measured(_clip: Path, arguments: list[str]) -> tuple[Measurement, Machine]:
        model = arguments[1]
        order.append(model)
        return replace(RUN, seconds=10.0 if model == "new" else 5.0, cpu_seconds=10.0), MACHINE

    monkeypatch.setattr(speed, "measure_apart", measured)
    ratios = speed.compare(tmp_path, speed.parse(["--model", "new", "--against", "old", "--rounds", "2"]))
    text = speed.comparison_text(ratios, "new", "old")
    assert order == ["new", "old", "old", "new"]
    assert "0.500 of its speed by the clock (0.500, 0.500), 1.000 by CPU time" in text


def test_two_versions_restore_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the program notes what it is asked for; the one before takes twice as long."""
    order: list[str] = []

    def restored(version: Path, clip: Path, options: list[str]) -> versions.Seconds:
        assert (clip.name, options) == ("a.mp4", ["--region", "face"])
        order.append(version.name)
        return versions.Seconds(3.0, 5.0) if version == versions.ROOT else versions.Seconds(6.0, 5.0)

    monkeypatch.setattr(versions, "enhance", restored)
    row = versions.in_turn(tmp_path, Path("a.mp4"), 2, ["--region", "face"]).row("a.mp4")
    assert order == [tmp_path.name, versions.ROOT.name, versions.ROOT.name, tmp_path.name]
    assert row == ["a.mp4", "6.0, 6.0", "3.0, 3.0", "2.00", "1.00"]


def test_a_version_that_is_none_is_said() -> None:
    with pytest.raises(SystemExit, match="no-such-version could not be checked out"):
        versions.main(["no-such-version", "a.mp4"])


def test_speed_clip(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", 3, (64, 48))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 3
    assert (frames[0].width, frames[0].height) == (64, 48)


def test_peak_memory_is_plausible() -> None:
    peak = peak_rss()
    assert peak is None or 20 < peak < 1e6


def test_table() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| :-- | --: |\n| 1 | 2 |"


def test_costs_are_those_of_the_operators() -> None:
    a, b = torch.zeros(8, 16), torch.zeros(16, 4)
    cost = cost_of(lambda: (a @ b).view(-1))
    assert cost.flops == 2 * 8 * 16 * 4
    assert cost.bytes == 4 * (8 * 16 + 16 * 4 + 8 * 4)  # the view moves nothing


def test_frontier_measures_each_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run, with one model more, measures that one alone; and all of them where the first is another."""
    files = {name: tmp_path / f"{name}.safetensors" for name in ("slow", "fast", "other")}
    for name, file in files.items():
        file.write_text(name)
    asked: list[str] = []

    def judged(_args: object, model: str) -> dict[str, float]:
        asked.append(Path(model).stem)
        return {"psnr": 30.0 if "slow" in model else 29.95, "percept": math.nan, "id": math.nan, "detail": 0.5}

    monkeypatch.setattr(frontier, "measure_quality", judged)
    monkeypatch.setattr(frontier, "measure_speed", lambda _args, model, first: 1.0 if model == first else 1.7)
    fixed = ["--data", str(tmp_path), "--output", str(tmp_path), "--picture", str(tmp_path / "frontier.png")]

    def run(*names: str) -> str:
        frontier.main([*(f"{name}={files[name]}" for name in names), *fixed])
        return (tmp_path / "frontier.md").read_text()

    assert "| 0.050 dB |" in run("slow", "fast")
    assert "| other | 1.70 |" in run("slow", "fast", "other")
    assert asked == ["slow", "fast", "other"]
    run("fast", "slow")
    assert asked == ["slow", "fast", "other", "fast", "slow"]
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_frontier_says_what_is_within_its_bounds() -> None:
    first = frontier.Candidate("a", "", 1.0, {"psnr": 30.0, "percept": 0.1, "id": 0.3, "detail": 0.5})
    near, far = (replace(first, figures={**first.figures, "psnr": psnr}) for psnr in (29.91, 29.89))
    assert "within" in frontier.lost(near, first)
    assert "within" not in frontier.lost(far, first)
    assert "within" not in frontier.lost(replace(first, figures={**first.figures, "percept": 0.104}), first)
