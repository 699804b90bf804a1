"""Lines over the frames of a clip, as SVG that stretches with the page; what is written beside it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .element import element
from .words import grouped

WIDTH, HEIGHT = 1000, 100
"""The coordinates in which the SVG is drawn, whatever its size is on the page."""
MOST_DOTS = 40
"""Lines with more points are drawn without dots."""
ROOM = 0.12
"""The part of the height that stays free above and below the lines."""


@dataclass(frozen=True)
class Line:
    """One line of a plot."""

    name: str
    style: str
    """The class that colours it."""
    points: Sequence[tuple[int, float]]
    """Frames and values, in order."""


@dataclass(frozen=True)
class Axes:
    """Which frames and which values a plot shows."""

    start: int
    stop: int
    low: float
    high: float

    @classmethod
    def around(cls, lines: Sequence[Line], start: int, stop: int, *, zero: bool = False) -> Axes:
        """Return axes on which all lines are seen, and 0 too where `zero`."""
        values = [value for line in lines for _, value in line.points] + ([0.0] if zero else [])
        low, high = min(values), max(values)
        room = ROOM * (high - low) or max(abs(high) * ROOM, 0.01)
        return cls(start, stop, low - room, high + room)

    def x(self, frame: float) -> float:
        """Return where a frame is; the middle of the first and of the last frame are inside."""
        return round(WIDTH * (frame + 0.5 - self.start) / (self.stop - self.start), 1)

    def y(self, value: float) -> float:
        """Return where a value is."""
        return round(HEIGHT * (self.high - value) / (self.high - self.low), 2)


def drawing(title: str, *shapes: Element, height: int = HEIGHT) -> Element:
    """Return an SVG of shapes, with a title for those who do not see it."""
    return element(
        "svg", element("title", title), *shapes,
        viewBox=f"0 0 {WIDTH} {height}", preserveAspectRatio="none", role="img", aria_label=title,
    )  # fmt: skip


def lines_drawing(title: str, lines: Sequence[Line], axes: Axes) -> Element:
    """Return the lines, over a line at 0 where it is on the axes."""
    zero = [element("path", class_="zero", d=f"M0 {axes.y(0)}H{WIDTH}")] if axes.low < 0 < axes.high else []
    return drawing(title, *zero, *(shape for line in lines for shape in _shapes(line, axes)))


def _shapes(line: Line, axes: Axes) -> list[Element]:
    at = [(axes.x(frame), axes.y(value)) for frame, value in line.points]
    shapes = [element("polyline", class_=line.style, points=" ".join(f"{x},{y}" for x, y in at))]
    if len(at) <= MOST_DOTS:  # dots are lines of no length: they stay round in a drawing that stretches
        shapes.append(element("path", class_=f"dots {line.style}", d="".join(f"M{x} {y}h0" for x, y in at)))
    return shapes


def frame_axis(start: int, stop: int) -> Element:
    """Return the numbers of the first, the middle and the last frame, to stand below a drawing."""
    frames = (start, (start + stop - 1) // 2, stop - 1) if stop - start > 2 else (start, stop - 1)
    return element("div", *(element("span", grouped(frame)) for frame in frames), class_="axis")
