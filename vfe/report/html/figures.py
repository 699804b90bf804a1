"""The sections of numbers: colours, time and memory, segments, options."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ..as_json import given_options
from ..run_report import RunReport, Segment
from .element import Child, element
from .plot import Axes, Line, frame_axis, lines_drawing
from .words import bytes_text, grouped, seconds_text, signed, span

STAGES = {
    "find_faces": "find faces",
    "decode": "decode",
    "restore": "restore",
    "encode": "encode",
    "measure": "measure for this report",
}
"""What the stages are called on the page."""
MOST_SEGMENTS = 500


def colours(report: RunReport) -> Element:
    """Return how far the colours moved."""
    channels = ("red", "green", "blue")
    values = [[(frame, getattr(shift, channel)) for frame, shift in report.colours] for channel in channels]
    lines = [
        Line(f"{channel} {signed(mean, 2)}", f"line-{channel}", points)
        for channel, mean, points in zip(channels, report.colour, values, strict=True)
    ]
    explained = (
        "By how much the mean of each channel over the whole frame changed, in levels of 255, the steps of 8-bit video."
    )
    keys = element("p", *(element("span", line.name, class_=f"key {line.style}") for line in lines), class_="keys")
    over_time = _colours_over_time(lines, report.frames) if report.frames > 1 else []
    return element("section", element("h2", "Colours"), element("p", explained, class_="hint"), keys, *over_time)


def _colours_over_time(lines: Sequence[Line], frames: int) -> list[Element]:
    axes = Axes.around(lines, 0, frames, zero=True)
    scale = element("div", element("span", signed(axes.high, 2)), element("span", signed(axes.low, 2)), class_="scale")
    drawn = lines_drawing("Shift of red, green and blue over the frames", lines, axes)
    return [element("div", scale, drawn, class_="plot"), frame_axis(0, frames)]


def times(report: RunReport) -> Element:
    """Return how long each stage took, and the peak of the memory."""
    stages = [(name, STAGES[name], seconds) for name, seconds in report.stages._asdict().items()]
    known = sum(seconds for *_, seconds in stages)
    stages.append(("other", "open, check and close", max(0.0, report.seconds - known)))
    whole = max(sum(seconds for *_, seconds in stages), 1e-9)
    bar = element("div", class_="stages", aria_hidden="true")
    bar.extend(
        element("i", class_=f"stage-{key}", style=f"width:{100 * seconds / whole:.2f}%", title=name)
        for key, name, seconds in stages
    )
    rows: list[list[Child]] = [
        [element("span", name, class_=f"key stage-{key}"), seconds_text(seconds), f"{100 * seconds / whole:.0f} %"]
        for key, name, seconds in stages
    ]
    explained = (
        f"Seconds on the clock. The process took up to {bytes_text(report.memory.process)} of memory since it started"
    )
    device = report.memory.device
    explained += "." if device is None else f", and {bytes_text(device)} on the device."
    return element(
        "section", element("h2", "Time and memory"), element("p", explained, class_="hint"), bar,
        table(("stage", "time", "share"), rows),
    )  # fmt: skip


def segments(report: RunReport) -> list[Element]:
    """Return the segments of a job; of a single pass, which is one segment that nobody else worked on, nothing."""
    if len(report.segments) < 2 and not any(segment.worker or segment.failures for segment in report.segments):
        return []
    rows = [_segment(segment) for segment in report.segments[:MOST_SEGMENTS]]
    heads = ("frames", "time", "frames/s", "process", "failed tries")
    return [element("section", element("h2", "Segments"), table(heads, rows))]


def _segment(segment: Segment) -> list[Child]:
    where = span(segment.start, segment.stop)
    failed: list[Child] = [grouped(len(segment.failures))]
    failed += [element("div", reason, class_="hint") for reason in dict.fromkeys(segment.failures)]
    tries = element("span", *failed)
    if segment.passed_through:
        return [where, "", "", "not restored: as in the source", tries]
    return [where, seconds_text(segment.seconds), f"{segment.fps:.3g}", segment.worker or "", tries]


def options(report: RunReport) -> Element:
    """Return the options of the run."""
    given = [
        element("div", element("dt", name.replace("_", " ")), element("dd", _shown(value)))
        for name, value in {**_model(report), **given_options(report.options)}.items()
    ]
    return element("section", element("h2", "Options"), element("dl", *given, class_="options"))


def _model(report: RunReport) -> dict[str, str]:
    """Return what restored the frames, as options are shown."""
    faces = report.model.faces
    return {"model": report.model.name or "unnamed", "face model": "none" if faces is None else faces or "unnamed"}


def table(heads: Sequence[str], rows: Sequence[Sequence[Child]]) -> Element:
    """Return a table; the first cell of each row is its head."""
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    return element("table", element("thead", head), element("tbody", *body))


def _shown(value: object) -> str:
    if value is None:
        return "not given"
    return "\u00d7".join(map(str, value)) if isinstance(value, tuple) else str(value)
