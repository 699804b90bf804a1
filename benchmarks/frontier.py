"""Speed against quality of several parts for frames: `python -m benchmarks.frontier --data DATA lite NAME=FILE ...`

Each restores the clips of DATA as in benchmarks.quality, whose `--score` it takes too, with the bundled part for faces
after it, and a synthetic clip alone and in turn with the first one, as in benchmarks.speed. Writes results/frontier.md
and .json, and a plot to `--picture`; models that are in the JSON already, by name and content, are not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from . import quality, speed
from .machine import RESULTS, cpu_name, table
from .saving import write_results

FIGURES = ("psnr", "percept", "id", "detail")
LOSSES = {"psnr": 0.1, "percept": 0.03}
"""What a faster model may lose: dB of PSNR, and a share of the perceptual distance."""
SPEED_FRAMES, SPEED_SIDE = 49, 512
FACES = "lite_faces"
"""The part for faces that follows all of them."""


@dataclass(frozen=True)
class Candidate:
    """What was measured of a model; figures are means over all levels."""

    name: str
    sha256: str
    speed: float
    """How many times as fast as the first model it is, by CPU time, file to file."""
    figures: dict[str, float]


@dataclass(frozen=True)
class Frontier:
    """The candidates, of which the first is what the others are measured by."""

    clips: str
    judged_by: str
    machine: str
    candidates: tuple[Candidate, ...]

    def report(self) -> str:
        """The candidates as Markdown."""
        first, *_ = self.candidates
        names = [quality.FIGURES[name] for name in FIGURES]
        rows = [
            [
                candidate.name,
                f"{candidate.speed:.2f}",
                *(quality.number(candidate.figures[name]) for name in FIGURES),
                lost(candidate, first),
            ]
            for candidate in self.candidates
        ]
        return "\n".join(
            [
                table(["model", f"speed, of {first.name}'s", *names, "lost"], rows),
                "",
                f"{self.clips}; judged by {self.judged_by}; speed by CPU time for {SPEED_FRAMES} frames of "
                f"{SPEED_SIDE}x{SPEED_SIDE}, file to file, in turn, without the part for faces; {self.machine}.",
            ]
        )


def lost(candidate: Candidate, first: Candidate) -> str:
    """What a candidate loses against the first model, or that it is within what a faster one may lose."""
    psnr = first.figures["psnr"] - candidate.figures["psnr"]
    percept = candidate.figures["percept"] / first.figures["percept"] - 1
    if math.isnan(percept):
        return f"{psnr:.3f} dB"
    within = psnr <= LOSSES["psnr"] and percept <= LOSSES["percept"]
    return f"{psnr:.3f} dB, {percept:.1%}{', within the bounds' if within else ''}"


def measure_quality(args: argparse.Namespace, model: str) -> dict[str, float]:
    """The means over all levels of the figures that are compared."""
    options = ["--data", str(args.data), "--model", model, "--frames", str(args.frames), "--clips", str(args.clips)]
    options += ["--enhance", f"--face-model {FACES}"]
    if args.score:
        options += ["--score", str(args.score)]
    with tempfile.TemporaryDirectory() as folder:
        quality.main([*options, "--output", folder])
        raw = json.loads((Path(folder) / "quality.json").read_text(encoding="utf-8"))
    means = raw["summary"]["all"]["out"]
    return {name: float("nan") if means[name] is None else means[name] for name in FIGURES}


def measure_speed(args: argparse.Namespace, model: str, first: str) -> float:
    """How many times as fast as the first model another is, by CPU time."""
    if model == first:
        return 1.0
    side = f"{SPEED_SIDE}x{SPEED_SIDE}"
    options = ["--rounds", str(args.rounds), "--size", side, "--face-model", "none"]
    asked = speed.parse(["--model", model, "--against", first, *options])
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        speed.make_clip(clip, SPEED_FRAMES, (SPEED_SIDE, SPEED_SIDE))
        return median(speed.compare(clip, asked).cpu)


def draw(frontier: Frontier, path: Path) -> None:
    """Plot speed against PSNR, and against the perceptual distance where it was judged."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("psnr", "percept"), strict=True):
        for candidate in frontier.candidates:
            at = candidate.speed, candidate.figures[name]
            axes.plot(*at, "o", color="tab:blue")
            axes.annotate(candidate.name, at, xytext=(6, 6), textcoords="offset points")
        axes.margins(0.35)
        axes.set_xlabel(f"speed, of {frontier.candidates[0].name}'s")
        axes.set_ylabel(quality.FIGURES[name])
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def named(text: str) -> tuple[str, str]:
    """NAME=FILE, or a name that is both."""
    name, _, model = text.partition("=")
    return name, model or name


def known(path: Path, frontier: Frontier, first: tuple[str, str]) -> dict[tuple[str, str], Candidate]:
    """The candidates of an earlier run on the same clips and by the same first model, by name and content."""
    if not path.exists():
        return {}
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    candidates = {
        (each["name"], each["sha256"]): Candidate(
            **{**each, "figures": {name: _or_nan(value) for name, value in each["figures"].items()}}
        )
        for each in raw["candidates"]
    }
    same = all(raw[key] == getattr(frontier, key) for key in ("clips", "judged_by", "machine"))
    return candidates if same and next(iter(candidates)) == first else {}


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frontier", description=__doc__)
    parser.add_argument("models", nargs="+", type=named, metavar="NAME[=FILE]", help="the first is the measure")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the clean clips")
    parser.add_argument("--score", type=Path, help="a score script, as that of benchmarks.quality")
    parser.add_argument("--frames", type=int, default=9, help="of each clip")
    parser.add_argument("--clips", type=int, default=0, help="only the first N; 0 is all")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison of speeds")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--picture", type=Path, default=Path("docs/frontier.png"))
    return parser.parse_args(argv)


def measured(args: argparse.Namespace, files: list[tuple[str, Path]]) -> Frontier:
    """Measure models by name, or take what an earlier run measured of them."""
    clips = f"{args.clips or 'all'} clips of {args.data.resolve().name}, {args.frames} frames each"
    frontier = Frontier(clips, "vfe score" if args.score is None else args.score.name, cpu_name(), ())
    names = [(name, hashlib.sha256(file.read_bytes()).hexdigest()[:16]) for name, file in files]
    earlier = known(args.output / "frontier.json", frontier, names[0])
    found = []
    for key, (_, file) in zip(names, files, strict=True):
        if key not in earlier:
            ratio = measure_speed(args, str(file), str(files[0][1]))
            earlier[key] = Candidate(*key, ratio, measure_quality(args, str(file)))
        found.append(earlier[key])
    return replace(frontier, candidates=tuple(found))


def main(argv: list[str]) -> None:
    from vfe.library.find import find_model
    from vfe.types import VFEError

    args = parse(argv)
    try:
        files = [(name, find_model(model).resolve()) for name, model in args.models]
    except VFEError as error:
        sys.exit(str(error))
    frontier = measured(args, files)
    print(frontier.report())
    write_results(args.output, "frontier", frontier.report(), asdict(frontier))
    draw(frontier, args.picture)


if __name__ == "__main__":
    main(sys.argv[1:])
