"""Scores as one HTML page that needs nothing else: tables, a bar for each clip, and curves over the frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ..report.html.document import document
from ..report.html.element import Child, element
from ..report.html.figures import table
from ..report.html.plot import WIDTH, Axes, Line, drawing, frame_axis, lines_drawing
from ..report.html.words import counted
from .metric import Figure
from .scores import INPUT, RESULT, ClipScores, Scores
from .table import better, from_to, number

STYLES = {RESULT: "line-after", INPUT: "line-before"}
BAR, GAP = 14, 6
"""The height of a bar and the space below it, in the coordinates of a drawing."""
MOST_CURVES = 200
"""A page of a large folder shows the curves of no more clips."""
LEAST_POINTS = 3
"""With fewer points there is no curve to see."""


def page(scores: Scores) -> str:
    """Return the page in ASCII."""
    clips = counted(len(scores.clips), "clip")
    frames = counted(sum(clip.frames for clip in scores.clips), "frame")
    main = element("main", _means(scores), *_notes(scores), *_bars(scores), *_clips(scores), *_curves(scores))
    return document("Scores", f"{clips}, {frames}", main, "The same numbers in JSON: vfe score --json FILE.json")


def _means(scores: Scores) -> Element:
    sides = list(reversed(scores.sides))
    rows: list[list[Child]] = [
        [_title(figure), *(number(scores.mean(side, figure).value) for side in sides), better(figure), figure.net]
        for figure in scores.figures
    ]
    head = "Mean over the clips" if len(scores.clips) > 1 else scores.clips[0].name
    return element(
        "section", element("h2", head), _wide(table(("metric", *sides, "which is better", "measured by"), rows))
    )


def _notes(scores: Scores) -> list[Element]:
    lines = [*scores.notes, *scores.reasons()]
    if not lines:
        return []
    notes = element("ul", *(element("li", line) for line in lines))
    return [element("section", element("h2", "Notes"), notes, class_="notes")]


def _bars(scores: Scores) -> list[Element]:
    """Return for each figure a bar for each clip; nothing for one clip."""
    if len(scores.clips) < 2:
        return []
    cards = [card for figure in scores.figures if (card := _bars_of(scores, figure)) is not None]
    hint = element("p", "Each bar is a clip, in the order of the table below.", class_="hint")
    return [element("section", element("h2", "Clip by clip"), hint, element("div", *cards, class_="cards"))]


def _bars_of(scores: Scores, figure: Figure) -> Element | None:
    values = [[clip.scored(side, figure).value for side in scores.sides] for clip in scores.clips]
    finite = [value for pair in values for value in pair if math.isfinite(value)]
    if not finite:
        return None
    most = max(map(abs, finite)) or 1.0
    shapes = []
    for row, pair in enumerate(values):
        for place, (side, value) in enumerate(zip(scores.sides, pair, strict=True)):
            if math.isfinite(value):
                height = BAR / len(pair)
                shapes.append(_bar(abs(value) / most, row * (BAR + GAP) + place * height, height, STYLES[side]))
    title = f"{figure.name} of each clip, from 0 to {number(most)}"
    drawn = drawing(title, *shapes, height=len(values) * (BAR + GAP))
    drawn.set("style", f"height:{len(values) * (BAR + GAP) / 16:.2f}rem")
    axis = element("div", element("span", "0"), element("span", number(most)), class_="axis")
    hint = element("p", better(figure), class_="hint")
    return element("article", element("h3", _title(figure)), hint, drawn, axis)


def _bar(share: float, top: float, height: float, style: str) -> Element:
    return element(
        "rect", x=0, y=f"{top:.1f}", width=f"{WIDTH * share:.1f}", height=f"{height:.1f}", class_=f"bar {style}"
    )


def _clips(scores: Scores) -> list[Element]:
    """Return the table of all clips; nothing for one clip."""
    if len(scores.clips) < 2:
        return []
    rows: list[list[Child]] = [
        [element("bdi", clip.name), *(from_to(scores, clip, figure) for figure in scores.figures)]
        for clip in scores.clips
    ]
    shown = table(("clip", *(_title(figure) for figure in scores.figures)), rows)
    hint = " \u2192 ".join(reversed(scores.sides))
    return [element("section", element("h2", "All clips"), element("p", hint, class_="hint"), _wide(shown))]


def _curves(scores: Scores) -> list[Element]:
    sections = [_curves_of(scores, clip) for clip in scores.clips[:MOST_CURVES] if not clip.error]
    return [section for section in sections if section is not None]


def _curves_of(scores: Scores, clip: ClipScores) -> Element | None:
    """Return the curves of a clip over its frames; None where it is too short."""
    cards = []
    for figure in scores.figures:
        lines = [
            Line(side, STYLES[side], clip.scored(side, figure).curve)
            for side in reversed(scores.sides)
            if len(clip.scored(side, figure).curve) >= LEAST_POINTS
        ]
        if lines:
            cards.append(_curve_card(figure, lines, clip.frames))
    if not cards:
        return None
    name = element("h2", "Over the frames of ", element("bdi", clip.name))
    return element("section", name, element("div", *cards, class_="cards"))


def _curve_card(figure: Figure, lines: Sequence[Line], frames: int) -> Element:
    axes = Axes.around(lines, 0, frames)
    keys = element("p", *(element("span", line.name, class_=f"key {line.style}") for line in lines), class_="keys")
    scale = element("div", element("span", number(axes.high)), element("span", number(axes.low)), class_="scale")
    drawn = element("div", scale, lines_drawing(f"{figure.name} over the frames", lines, axes), class_="plot")
    return element("article", element("h3", _title(figure)), keys, drawn, frame_axis(0, frames))


def _title(figure: Figure) -> str:
    return f"{figure.name}, {figure.unit}" if figure.unit else figure.name


def _wide(shown: Element) -> Element:
    return element("div", shown, class_="wide")
