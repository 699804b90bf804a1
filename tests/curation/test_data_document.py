"""docs/data.md: its commands run, its examples are what a run writes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.counting_scorer import CountingScorer
from tests.support.curated import SMALL, curate, write_raw
from tests.support.paths import ROOT
from vfe.cli.parser import build_parser
from vfe.curation.verdict import WEIGHTS

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.+?)```", TEXT, re.DOTALL) for line in block.splitlines()]
CURATE = [line for line in COMMANDS if line.startswith("vfe curate")]
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", TEXT, re.DOTALL)]
(PYTHON,) = re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `videos` and `data/train`, in which a clip is kept."""
    folder = tmp_path_factory.mktemp("documented")
    (write_raw(folder / "videos") / "broken.mp4").unlink()
    with pytest.MonkeyPatch.context() as patch:
        scorer = CountingScorer(folder / "notes")
        assert curate(patch, scorer, folder / "videos", "-o", folder / "data/train", "--keep-above", "20", *SMALL) == 0
    return folder


def keys(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The names in an object, and the types of its values."""
    return {name: type(part).__name__ for name, part in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("line", CURATE)
def test_its_commands_are_right(line: str) -> None:
    assert build_parser().parse_args(shlex.split(line)[1:]).command == "curate"


@pytest.mark.parametrize("line", [line for line in CURATE if "--layout" not in line])
def test_its_commands_run(line: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/train").mkdir(parents=True)
    (tmp_path / "videos").symlink_to(folder / "videos")
    assert curate(monkeypatch, CountingScorer(tmp_path / "notes"), *shlex.split(line)[2:]) == 0


def test_the_manifest_is_as_it_says(folder: Path) -> None:
    items = json.loads((folder / "data/train/manifest.json").read_text())["items"]
    video = next(item for item in items if item["kind"] == "hq_video")
    assert keys(EXAMPLES[0]) == keys(video)


def test_the_record_is_as_it_says(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "data/train/curation.jsonl").read_text().splitlines()]
    for example in EXAMPLES[1:]:
        (first, *_) = (line for line in lines if line["line"] == example["line"])
        assert keys(example) == keys(first)


def test_the_labels_are_as_it_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "data/train")
    items = json.loads(Path("manifest.json").read_text())["items"]
    video = next(item for item in items if item["kind"] == "hq_video")
    names: dict[str, Any] = {}
    exec(PYTHON.replace(EXAMPLES[0]["label"], video["label"]), names)
    frames = video["frames"]
    shapes = {name: names[name].shape for name in ("masks", "boxes", "landmarks", "valid")}
    assert shapes == {"masks": (frames, 96, 96), "boxes": (frames, 4), "landmarks": (frames, 5, 2), "valid": (frames,)}
    assert set(np.unique(names["masks"])) == {0, 1}


def test_the_weights_are_those_of_the_program() -> None:
    said = {name: float(weight) for name, weight in re.findall(r"^\| `(\w+)`: .+ \| ([\d.]+) \|$", TEXT, re.MULTILINE)}
    assert said == WEIGHTS


def test_the_total_of_the_example_is_its_sum() -> None:
    line = EXAMPLES[2]
    total = sum(WEIGHTS[name] * value for name, value in line["dims"].items()) + line["bonus"] - line["penalty"]
    assert line["total"] == pytest.approx(total)
