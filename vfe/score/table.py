"""Scores as Markdown for people and as CSV for other programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from .metric import Figure
from .scores import ClipScores, Scores

ARROWS = {"higher": "higher is better", "lower": "lower is better", "one": "1 is ideal", "zero": "0 is ideal"}
NONE = "NaN"


def markdown(scores: Scores) -> str:
    """Return the means, what is to know of them, and where there are several clips a row for each."""
    heads = ["metric", *reversed(scores.sides), "which is better"]
    rows = [
        [_named(figure), *(number(scores.mean(side, figure).value) for side in reversed(scores.sides)), better(figure)]
        for figure in scores.figures
    ]
    parts = [_table(heads, rows)]
    if len(scores.clips) > 1:
        parts.append(_table(["clip", *(_named(figure) for figure in scores.figures)], _clip_rows(scores)))
    notes = [*scores.notes, *scores.reasons(), *_nets(scores.figures)]
    return "\n\n".join([*parts, *(["\n".join(f"- {line}" for line in notes)] if notes else [])])


def csv_text(scores: Scores) -> str:
    """Return a row for each clip and version, and rows of the means, whose clip is `mean`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["clip", "version", "frames", *(figure.name for figure in scores.figures)])
    for clip in scores.clips:
        for side in scores.sides:
            values = (clip.scored(side, figure).value for figure in scores.figures)
            writer.writerow([clip.name, side, clip.frames, *(repr(value) for value in values)])
    for side in scores.sides:
        frames = sum(clip.frames for clip in scores.clips)
        writer.writerow(["mean", side, frames, *(repr(scores.mean(side, figure).value) for figure in scores.figures)])
    return out.getvalue()


def number(value: float) -> str:
    """Return a figure in four digits."""
    return NONE if math.isnan(value) else f"{value:.4g}"


def better(figure: Figure) -> str:
    """Return which figures are better, in words."""
    return ARROWS[figure.better]


def from_to(scores: Scores, clip: ClipScores, figure: Figure) -> str:
    """Return the figure of a clip, after that of the input where it is scored too."""
    return " \u2192 ".join(number(clip.scored(side, figure).value) for side in reversed(scores.sides))


def _clip_rows(scores: Scores) -> list[list[str]]:
    return [[_plain(clip.name), *(from_to(scores, clip, figure) for figure in scores.figures)] for clip in scores.clips]


def _named(figure: Figure) -> str:
    return f"{figure.name}, {figure.unit}" if figure.unit else figure.name


def _nets(figures: Sequence[Figure]) -> list[str]:
    return [f"{figure.name} is measured by {figure.net}" for figure in figures if figure.net]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _plain(name: str) -> str:
    """Return a name that stays in its cell."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return shown.replace("|", "\\|")
