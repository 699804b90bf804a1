"""The time line of a clip: its shots, the windows in which it was restored, and its faces."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ...face.draw.overlay import colour_of
from ...types import Stretch
from ..run_report import ReportedFace, RunReport
from .element import element
from .plot import WIDTH, drawing, frame_axis
from .words import counted, span

LANE = 10
"""The height of a lane of bars in the drawing."""
MOST_WINDOWS = 150
"""More windows could not be told from each other."""


def timeline(report: RunReport) -> Element:
    """Return what lies where, one band below the other."""
    shots = [Stretch(*bounds) for bounds in zip((0, *report.cuts), (*report.cuts, report.frames), strict=True)]
    bands = [_band("Shots", _bars(shots, report.frames, "shot"), 1)]
    if 0 < len(report.windows) <= MOST_WINDOWS:
        lanes = min(2, len(report.windows))  # neighbours overlap
        bands.append(_band("Windows", _bars(report.windows, report.frames, "window", lanes), lanes))
    if report.faces:
        apart = lanes_of(report.faces)
        bars = [bar for lane, faces in enumerate(apart) for face in faces for bar in _face(face, lane, report.frames)]
        bands.append(_band("Faces", bars, len(apart)))
    return element("div", *bands, frame_axis(0, report.frames), class_="timeline")


def lanes_of(faces: Sequence[ReportedFace]) -> list[list[ReportedFace]]:
    """Return faces in as few lanes as there are faces at once, so that no two in one lane overlap in time."""
    lanes: list[list[ReportedFace]] = []
    for face in sorted(faces, key=lambda face: (face.start, face.number)):
        free = next((lane for lane in lanes if lane[-1].stop <= face.start), None)
        if free is None:
            lanes.append([face])
        else:
            free.append(face)
    return lanes


def face_colour(number: int) -> str:
    """Return the colour that the face of a number has on contact sheets too."""
    return "#" + "".join(f"{round((part + 1) * 127.5):02x}" for part in colour_of(number))


def _band(name: str, bars: Sequence[Element], lanes: int) -> Element:
    height = LANE * lanes
    picture = drawing(f"{name} over the frames of the clip", *bars, height=height)
    picture.set("style", f"height:{max(1.1 * lanes, 1.6)}em")
    return element("div", element("span", name, class_="name"), picture, class_="band")


def _bars(stretches: Sequence[Stretch], frames: int, noun: str, lanes: int = 1) -> list[Element]:
    """Return a bar for each stretch, in turns in each lane."""
    bars = []
    for number, stretch in enumerate(stretches):
        bar = _bar(stretch, number % lanes, frames, f"{noun} {number + 1}: {span(stretch.start, stretch.stop)}")
        bar.set("class", f"{noun} {'odd' if number % 2 else 'even'}")
        bars.append(bar)
    return bars


def _face(face: ReportedFace, lane: int, frames: int) -> list[Element]:
    """Return the bar of a face, and over it paler ones where it was out of sight."""
    seen = "" if face.seen == face.stop - face.start else f", seen on {counted(face.seen, 'frame')}"
    title = f"face {face.number}: {span(face.start, face.stop)}{seen}"
    whole = _bar(Stretch(face.start, face.stop), lane, frames, title)
    whole.set("fill", face_colour(face.number))
    gaps = [_bar(gap, lane, frames, f"{title}; out of sight on {span(gap.start, gap.stop)}") for gap in face.unseen]
    for gap in gaps:
        gap.set("class", "gap")
    return [whole, *gaps]


def _bar(stretch: Stretch, lane: int, frames: int, title: str) -> Element:
    left, right = (round(WIDTH * frame / frames, 2) for frame in (stretch.start, stretch.stop))
    return element(
        "rect", element("title", title), x=left, y=lane * LANE + 1, width=round(right - left, 2), height=LANE - 2
    )
