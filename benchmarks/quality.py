"""How well clips are restored: `python -m benchmarks.quality --score score.py --data DATA`.

Runs a score script that degrades the clean clips of DATA at fixed levels, restores them and compares.
Writes results/quality.md and .json: each figure beside that of the untouched input, and which goals are reached.
The script is called as `score.py --data DATA --enhance COMMAND --json FILE`, COMMAND holding {input} and {output}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from .machine import RESULTS, cpu_name, table

Means = dict[str, float]
Summary = dict[str, dict[str, Means]]
"""level (and "all") -> "lq" or "out" -> figure -> mean over the clips."""

FIGURES = {
    "psnr": "PSNR, dB",
    "face_psnr": "face PSNR, dB",
    "ssim": "SSIM",
    "detail": "detail (1 is ideal)",
    "warp": "warp error (lower is steadier)",
}
GAINS = {"psnr": 1.0, "face_psnr": 1.0, "ssim": 0.012}  # that the mean over all levels must at least reach
WARP_LIMIT = 1.2  # times the input's


class Goal(NamedTuple):
    """One thing that must be so, and what was measured."""

    text: str
    measured: str
    reached: bool


def goals(summary: Summary) -> list[Goal]:
    """What the bundled model must reach."""
    low, out = summary["all"]["lq"], summary["all"]["out"]
    found = [
        Goal(f"{FIGURES[name]}: at least {least:+g}", f"{out[name] - low[name]:+.4g}", out[name] - low[name] >= least)
        for name, least in GAINS.items()
    ]
    worse = [
        f"{FIGURES[name]} at {level}"
        for level, sides in summary.items()
        for name in GAINS
        if sides["out"][name] < sides["lq"][name]
    ]
    found.append(Goal("no level below the input on these", ", ".join(worse) or "none", not worse))
    ratio = out["warp"] / low["warp"]
    found.append(Goal(f"warp error: at most {WARP_LIMIT} times the input's", f"{ratio:.2f}", ratio <= WARP_LIMIT))
    detail = f"{low['detail']:.3f} -> {out['detail']:.3f}"
    closer = abs(out["detail"] - 1) < abs(low["detail"] - 1)
    found.append(Goal("detail closer to 1 than the input's", detail, closer))
    return found


def report_text(summary: Summary, about: dict[str, str]) -> str:
    """The summary as Markdown: a row for each level, input -> output in each cell."""
    rows = []
    for level, sides in summary.items():
        cells = [f"{sides['lq'][name]:.4g} → {sides['out'][name]:.4g}" for name in FIGURES]
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


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--score", type=Path, required=True, help="the score script")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the clean clips")
    parser.add_argument("--model", default="lite", help="a bundled model or a file")
    parser.add_argument("--enhance", default="", metavar="OPTIONS", help="more options of `vfe enhance`, as one text")
    parser.add_argument("--frames", type=int, default=33, help="of each clip")
    parser.add_argument("--clips", type=int, default=0, help="only the first N; 0 is all")
    parser.add_argument("--levels", nargs="+", help="only these")
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
    raw = run_score(args, model)
    summary: Summary = raw["summary"]  # type: ignore[assignment] # the layout is the score script's
    about = {
        "model": f"{model.stem} (sha256 {hashlib.sha256(model.read_bytes()).hexdigest()[:16]})",
        "clips": f"{args.clips or 'all'} of {args.data.resolve().name}, {args.frames} frames each",
        "options": args.enhance or "none",
        "machine": cpu_name(),
    }
    text = report_text(summary, about)
    print(text)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "quality.md").write_text(text + "\n", encoding="utf-8")
    (args.output / "quality.json").write_text(json.dumps({"about": about, **raw}, indent=1) + "\n", encoding="utf-8")
    if args.strict and not all(goal.reached for goal in goals(summary)):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
