"""The whole page, from its sections."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ..run_report import RunReport
from .document import document
from .element import element
from .faces import faces_section
from .figures import colours, options, segments, times
from .stills import stills
from .timeline import timeline
from .words import bytes_text, counted, grouped, seconds_text, signed


def page(report: RunReport) -> str:
    """Return the report as HTML in ASCII."""
    main = element(
        "main",
        _tiles(report),
        *_notes(report),
        *stills(report),
        *_shots(report),
        faces_section(report),
        colours(report),
        times(report),
        *segments(report),
        options(report),
    )
    names = element("span", element("bdi", report.source.name), " \u2192 ", element("bdi", report.output.name))
    hint = "The same numbers in JSON: --report FILE.json"
    return document("Restoration report", names, main, hint, tab=f"{report.source.name}: restored")


def _tiles(report: RunReport) -> Element:
    """Return the numbers that matter most."""
    before, after = report.source, report.output
    size = f"{after.width}\u00d7{after.height}"
    resized = (before.width, before.height) != (after.width, after.height)
    worst = max(report.colour, key=abs)
    frames = "frame" if report.frames == 1 else "frames"
    shown_for = f"{frames}, {seconds_text(float(report.frames / report.rate))}" if report.kind == "video" else frames
    tiles = [
        (grouped(report.frames), shown_for),
        (size, f"from {before.width}\u00d7{before.height}" if resized else "pixels"),
        (seconds_text(report.seconds), f"{report.fps:.3g} frames a second"),
        (bytes_text(report.memory.process), "of memory at the peak"),
        (signed(worst, 2), "levels of colour shift"),
    ]
    if report.faces is not None:
        tiles.insert(2, (grouped(len(report.faces)), "face restored" if len(report.faces) == 1 else "faces restored"))
    shown = [element("div", element("b", value), element("span", name)) for value, name in tiles]
    return element("section", *shown, class_="tiles", aria_label="Summary")


def _notes(report: RunReport) -> list[Element]:
    if not report.notes:
        return []
    notes = element("ul", *(element("li", note) for note in report.notes))
    return [element("section", element("h2", "Notes"), notes, class_="notes")]


def _shots(report: RunReport) -> list[Element]:
    """Return the time line, and in words what is on it; nothing for one picture."""
    if report.frames == 1:
        return []
    said = counted(len(report.cuts) + 1, "shot")
    said += f", restored in {counted(len(report.windows), 'window')} of whole frames" if report.windows else ""
    return [element("section", element("h2", "Time line"), element("p", said + ".", class_="hint"), timeline(report))]
