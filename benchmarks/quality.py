"""How well clips are restored: `python -m benchmarks.quality --data DATA`.

Degrades the clean clips of DATA at fixed levels, restores them and compares, by `vfe degrade` and `vfe score`.
Writes results/quality.md and .json: each figure beside that of the untouched input, and which goals are reached.
With `--score score.py` a script does all that instead, which may have judges that are not bundled; it is called as
`score.py --data DATA --enhance COMMAND --json FILE`, COMMAND holding {input} and {output}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from . import own_score
from .machine import RESULTS, cpu_name, table
from .saving import write_results

Means = dict[str, float]
Summary = dict[str, dict[str, Means]]
"""level (and "all") -> "lq" or "out" -> figure -> mean over the clips."""

FIGURES = {
    "psnr": "PSNR, dB",
    "face_psnr": "face PSNR, dB",
    "ssim": "SSIM",
    "detail": "detail (1 is ideal)",
    "warp": "warp error (lower is steadier)",
    "percept": "perceptual distance of faces (lower is better)",
    "id": "distance of identity (lower is better)",
    "colour": "colour, worst channel, of 255 (0 is ideal)",
}
LEAST = {"psnr": 30.75, "face_psnr": 30.3, "ssim": 0.895, "detail": 0.55}
"""What the means over all levels must at least reach on the dev clips of this project."""
MOST_COLOUR = 0.7  # levels of 255, in size
MOST = {
    "percept": {"mild": 0.0245, "medium": 0.054, "severe": 0.090},
    "id": {"mild": 0.125, "medium": 0.27, "severe": 0.44},
}
"""What levels may have at most."""
WARP_LIMIT = 1.1  # times the input's
HIGHER_IS_BETTER = {"psnr": True, "face_psnr": True, "ssim": True, "percept": False, "id": False}


class Goal(NamedTuple):
    """One thing that must be so, and what was measured."""

    text: str
    measured: str
    reached: bool


def goals(summary: Summary) -> list[Goal]:
    """What the bundled model must reach."""
    low, out = summary["all"]["lq"], summary["all"]["out"]
    found = [
        Goal(f"{FIGURES[name]}: at least {least:g}", number(out[name]), out[name] >= least)
        for name, least in LEAST.items()
    ]
    for name, levels in MOST.items():
        for level, most in levels.items():
            if level in summary:
                value = summary[level]["out"][name]
                found.append(Goal(f"{FIGURES[name]}, {level}: at most {most:g}", number(value), value <= most))
    colour = abs(out["colour"])
    found.append(Goal(f"{FIGURES['colour']}: at most {MOST_COLOUR:g} in size", f"{colour:.3g}", colour <= MOST_COLOUR))
    worse = ", ".join(worse_than_input(summary))
    found.append(Goal("no level worse than the input on quality, likeness or colour", worse or "none", not worse))
    ratio = out["warp"] / low["warp"]
    found.append(Goal(f"warp error: at most {WARP_LIMIT} times the input's", f"{ratio:.2f}", ratio <= WARP_LIMIT))
    return found


def worse_than_input(summary: Summary) -> list[str]:
    """Figures and levels at which the result is worse than the untouched input."""
    found = []
    for level, sides in summary.items():
        for name, higher in HIGHER_IS_BETTER.items():
            gain = sides["out"][name] - sides["lq"][name]
            if gain < 0 if higher else gain > 0:
                found.append(f"{FIGURES[name]} at {level}")
        if abs(sides["out"]["colour"]) > abs(sides["lq"]["colour"]):
            found.append(f"{FIGURES['colour']} at {level}")
    return found


def number(value: float) -> str:
    """A figure for people; those whose network is not there are NaN."""
    return "not judged" if math.isnan(value) else f"{value:.4g}"


def report_text(summary: Summary, about: dict[str, str]) -> str:
    """The summary as Markdown: a row for each level, input -> output in each cell."""
    rows = []
    for level, sides in summary.items():
        cells = [f"{number(sides['lq'][name])} → {number(sides['out'][name])}" for name in FIGURES]
        rows.append([level, *cells])
    reached = [[goal.text, goal.measured, "yes" if goal.reached else "**no**"] for goal in goals(summary)]
    return "\n".join(
        [
            table(["level", *FIGURES.values()], rows),
            "",
            table(["goal", "measured", "reached"], reached),
            "",
            "; ".join(f"{name} {value}" for name, value in about.items()) + ".",
        ]
    )


def enhance_command(model: Path, options: str) -> str:
    """The command for the score script, which splits it like a shell and fills in {input} and {output}."""
    fixed = shlex.join([sys.executable, "-m", "vfe", "enhance"]).replace("{", "{{").replace("}", "}}")
    name = shlex.quote(str(model)).replace("{", "{{").replace("}", "}}")
    return f"{fixed} {{input}} -o {{output}} --overwrite --model {name} {options}".strip()


def run_score(args: argparse.Namespace, model: Path) -> dict[str, object]:
    """Run the score script and return what it found; ends the program with its exit code if it fails."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "score.json"
        command = [sys.executable, str(args.score.resolve()), "--data", str(args.data.resolve())]
        command += ["--enhance", enhance_command(model, args.enhance), "--json", str(result)]
        command += ["--frames", str(args.frames), "--clips", str(args.clips)]
        if args.seed:
            command += ["--seed", str(args.seed)]
        if args.levels:
            command += ["--levels", *args.levels]
        if args.keep:
            command += ["--keep", str(args.keep.resolve())]
        # In the root of the clone, so that `python -m vfe` is the code beside this file.
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(done.returncode)
        raw: dict[str, object] = json.loads(result.read_text(encoding="utf-8"))
        return raw


def run_own(args: argparse.Namespace, model: Path) -> dict[str, object]:
    """Measure by the commands of this project."""
    levels = args.levels or ["mild", "medium", "severe"]
    work = own_score.Work(args.data.resolve(), levels, args.clips, args.frames, args.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) if args.keep is None else args.keep.resolve()
        return own_score.measure(work, place, enhance_command(model, args.enhance), list(FIGURES))


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--score", type=Path, help="a score script, instead of `vfe degrade` and `vfe score`")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the clean clips")
    parser.add_argument("--model", default="lite", help="a bundled model or a file")
    parser.add_argument("--enhance", default="", metavar="OPTIONS", help="more options of `vfe enhance`, as one text")
    parser.add_argument("--frames", type=int, default=33, help="of each clip")
    parser.add_argument("--clips", type=int, default=0, help="only the first N; 0 is all")
    parser.add_argument("--levels", nargs="+", help="only these")
    parser.add_argument("--seed", type=int, default=0, help="of the degradations; a score script is told of all but 0")
    parser.add_argument("--keep", type=Path, help="keep the clips in this folder")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless every goal is reached")
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    from vfe.library.find import find_model
    from vfe.types import VFEError

    args = parse(argv)
    try:
        model = find_model(args.model).resolve()
    except VFEError as error:
        sys.exit(str(error))
    raw = run_own(args, model) if args.score is None else run_score(args, model)
    summary: Summary = raw["summary"]  # type: ignore[assignment] # the layout is the score script's
    about = {
        "model": f"{model.stem} (sha256 {hashlib.sha256(model.read_bytes()).hexdigest()[:16]})",
        "clips": f"{args.clips or 'all'} of {args.data.resolve().name}, {args.frames} frames each, seed {args.seed}",
        "options": args.enhance or "none",
        "machine": cpu_name(),
        "judged by": "vfe score" if args.score is None else args.score.name,
    }
    text = report_text(summary, about)
    print(text)
    write_results(args.output, "quality", text, {"about": about, **raw})
    if args.strict and not all(goal.reached for goal in goals(summary)):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
