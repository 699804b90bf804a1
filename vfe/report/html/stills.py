"""Pictures before and after, on the page itself."""

from __future__ import annotations

from base64 import b64encode
from xml.etree.ElementTree import Element

from ..run_report import RunReport
from .element import element
from .words import moment

MOVE = "this.parentNode.style.setProperty('--at', this.value + '%')"
"""What the slider over a still does; without scripts the still stays half before and half after."""


def stills(report: RunReport) -> list[Element]:
    """Return whole frames before and after, under a slider that goes from one to the other; where there are any."""
    if not report.stills:
        return []
    rate = report.rate if report.kind == "video" else None
    pairs = [_pair(f"{moment(frame, rate)}", still.before, still.after) for frame, still in report.stills]
    explained = "Move the slider: left of it the frame as it came, right of it as it was written."
    heading, hint = element("h2", "Before and after"), element("p", explained, class_="hint")
    return [element("section", heading, hint, element("div", *pairs, class_="stills"))]


def picture(jpeg: bytes, alt: str, **attributes: object) -> Element:
    """Return a JPEG as an image whose data is in the page."""
    return element("img", src=f"data:image/jpeg;base64,{b64encode(jpeg).decode('ascii')}", alt=alt, **attributes)


def _pair(name: str, before: bytes, after: bytes) -> Element:
    slider = element(
        "input", type="range", min=0, max=100, value=50, oninput=MOVE, aria_label=f"{name}: how much of it is before"
    )
    return element(
        "figure",
        element(
            "div",
            picture(after, f"{name}, after"),
            picture(before, f"{name}, before", class_="before"),
            element("span", "before", class_="tag left"),
            element("span", "after", class_="tag right"),
            slider,
            class_="slide",
        ),
        element("figcaption", name),
    )
