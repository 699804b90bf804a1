"""The faces of a run: a card for each, with what was measured on it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ..likeness_scale import LikenessScale
from ..run_report import ReportedFace, RunReport
from ..watch import MOST_PICTURED
from .element import Child, element
from .plot import Axes, Line, lines_drawing
from .stills import picture
from .timeline import face_colour
from .words import counted, signed, span

SHARPNESS = (
    "Sharpness is the fine detail of the aligned face in levels of 255, less what is noise. More is sharper; how much "
    "there can be depends on the face and its light. "
)


def faces_section(report: RunReport) -> Element:
    """Return the section on faces, also where there are none."""
    heading = element("h2", "Faces")
    if report.faces is None:
        return element("section", heading, element("p", "Faces were not looked for: whole frames were restored."))
    if not report.faces:
        return element("section", heading, element("p", "No face was found that was to be restored."))
    scale = report.likeness
    explained = SHARPNESS if scale is None else SHARPNESS + _explained(scale)
    shown = sorted(report.faces, key=lambda face: -face.seen)[:MOST_PICTURED]
    left_out = len(report.faces) - len(shown)
    note = [element("p", f"The {MOST_PICTURED} faces seen longest are shown; JSON has the other {left_out} too.")]
    cards = [_card(face, scale) for face in sorted(shown, key=lambda face: face.number)]
    return element(
        "section", heading, element("p", explained, class_="hint"), *(note if left_out else []),
        element("div", *cards, class_="cards"),
    )  # fmt: skip


def _explained(scale: LikenessScale) -> str:
    """Return in words what a likeness distance says."""
    stranger = "" if scale.stranger is None else f", {scale.stranger:g} a portrait of somebody else"
    text = f"Likeness distance is how different {scale.net} finds the face before and after: 0 is the same picture"
    if scale.tells_people_apart:
        return f"{text}{stranger}."
    return (
        f"{text}{stranger}. It tells how far a face was changed. That net was not made to tell people apart, so a "
        "small distance proves nobody's identity."
    )


def _card(face: ReportedFace, scale: LikenessScale | None) -> Element:
    number = element("h3", element("i", class_="dot", style=f"background:{face_colour(face.number)}"))
    number[0].tail = f"Face {face.number}"
    where = f"{span(face.start, face.stop)}, {round(face.side)} pixels"
    unseen = face.stop - face.start - face.seen
    where += f", out of sight on {unseen}" if unseen else ""
    where += f", restored in {counted(len(face.windows), 'window')}" if face.windows else ""
    return element("article", number, element("p", where, class_="hint"), *_pictures(face), *_measured(face, scale))


def _pictures(face: ReportedFace) -> list[Element]:
    if face.pictures is None:
        return []
    frame = face.pictures.frame
    pairs = (("before", face.pictures.before), ("after", face.pictures.after))
    shown = [
        element("figure", picture(jpeg, f"Face {face.number} on frame {frame}, {when}"), element("figcaption", when))
        for when, jpeg in pairs
    ]
    return [element("div", *shown, class_="pair")]


def _measured(face: ReportedFace, scale: LikenessScale | None) -> list[Element]:
    sharpness, distance = face.sharpness, face.distance
    if sharpness is None or distance is None:
        return [element("p", "It was measured on no frame.", class_="hint")]
    percent = f" ({signed(100 * (sharpness.after / sharpness.before - 1), 0)} %)" if sharpness.before > 0 else ""
    numbers = element(
        "dl",
        element("dt", "Sharpness"),
        element("dd", f"{sharpness.before:.2f} \u2192 {sharpness.after:.2f}{percent}"),
        element("dt", "Likeness distance"),
        element("dd", *_distance(distance, scale.stranger if scale else None)),
    )
    return [numbers, *_sparkline(face)]


def _distance(distance: float, stranger: float | None) -> list[Child]:
    """Return a distance, on the way to a stranger's where that is known."""
    if stranger is None:
        return [f"{distance:.3f}"]
    share = min(100.0, 100 * distance / stranger)
    meter = element("span", element("i", style=f"width:{share:.1f}%"), class_="meter", aria_hidden="true")
    return [f"{distance:.3f} of {stranger:g}", meter]


def _sparkline(face: ReportedFace) -> list[Element]:
    """Return the sharpness over the frames of the face, where it was measured on two and more."""
    if len(face.samples) < 2:
        return []
    lines = [
        Line("before", "line-before", [(sample.frame, sample.sharpness_before) for sample in face.samples]),
        Line("after", "line-after", [(sample.frame, sample.sharpness_after) for sample in face.samples]),
    ]
    title = f"Sharpness of face {face.number} on {counted(len(face.samples), 'frame')}, before and after"
    axes = Axes.around(lines, face.start, face.stop)
    legend = element("span", *(element("span", line.name, class_=f"key {line.style}") for line in lines), class_="keys")
    return [element("div", lines_drawing(title, lines, axes), class_="spark"), legend]
