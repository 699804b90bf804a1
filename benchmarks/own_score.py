"""The quality table by this project's own commands: `vfe degrade`, `vfe enhance`, `vfe score`.

Perceptual distance and distance of identity, for which no network is bundled, are NaN.
"""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SIDES = {"lq": "input", "out": "result"}
"""The names in a summary, and those in the JSON of `vfe score`."""
Means = dict[str, float]


SEEDS_APART = 1000
"""The clips of one seed have seeds of their own below that."""


class Work(NamedTuple):
    """What is measured."""

    data: Path
    """Clean clips are in its hq_video; where it has `labels`, they say where the faces are."""
    levels: list[str]
    clips: int
    """Only the first so many; 0 is all."""
    frames: int
    """Of each clip."""
    seed: int = 0
    """Of the noise; clips that follow each other have seeds that do."""


def measure(work: Work, folder: Path, enhance: str, names: list[str]) -> dict[str, Any]:
    """Degrade, restore and score the clips in `folder`, level by level.

    `enhance` is a command with {input} and {output}. Returns {"summary": ..., "rows": ...} as a score script writes it,
    with the figures of `names`. Ends the program with the exit code of a command that fails.
    """
    clean = sorted((work.data / "hq_video").glob("*.mp4"))[: work.clips or None]
    if not clean:
        sys.exit(f"no clips under {work.data / 'hq_video'}")
    rows = []
    for level in work.levels:
        lq, out, found = folder / level / "lq", folder / level / "out", folder / level / "score.json"
        lq.mkdir(parents=True, exist_ok=True)
        for seed, clip in enumerate(clean, work.seed * SEEDS_APART):
            twin = ["degrade", str(clip), "-o", str(lq / clip.name), "--preset", level, "--seed", str(seed)]
            _vfe(*twin, "--frames", str(work.frames), "--overwrite")
        _run([part.format(input=lq, output=out) for part in shlex.split(enhance)])
        labels = ["--labels", str(work.data / "labels")] if (work.data / "labels").is_dir() else []
        compared = [
            "--reference",
            str(work.data / "hq_video"),
            "--input",
            str(lq),
            "--frames",
            str(work.frames),
            *labels,
        ]
        _vfe("score", str(out), *compared, "--json", str(found), "--overwrite")
        rows += rows_of(json.loads(found.read_text(encoding="utf-8")), level, names)
    return {"summary": summary_of(rows, work.levels), "rows": rows}


def rows_of(scores: dict[str, Any], level: str, names: list[str]) -> list[dict[str, Any]]:
    """Return a row for each clip of the JSON of `vfe score`; a figure that it does not have is NaN."""
    return [
        {"clip": clip["name"], "level": level}
        | {side: {name: _value(clip[named], name) for name in names} for side, named in SIDES.items()}
        for clip in scores["clips"]
    ]


def summary_of(rows: list[dict[str, Any]], levels: list[str]) -> dict[str, dict[str, Means]]:
    """Return the means over the clips that have a figure, of each level and of all."""
    parts = {level: [row for row in rows if row["level"] == level] for level in levels} | {"all": rows}
    return {
        level: {side: {name: _mean([row[side][name] for row in part]) for name in part[0][side]} for side in SIDES}
        for level, part in parts.items()
    }


def _value(figures: dict[str, Any], name: str) -> float:
    value = figures[name]["value"] if name in figures else None
    return math.nan if value is None else float(value)


def _mean(values: list[float]) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _vfe(*words: str) -> None:
    _run([sys.executable, "-m", "vfe", *words])


def _run(command: list[str]) -> None:
    # In the root of the clone, so that `python -m vfe` is the code beside this file.
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)
