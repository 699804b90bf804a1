"""A report becomes a file: a page or JSON, as its name says."""

from __future__ import annotations

from pathlib import Path

from ..files.aside import written_aside
from .as_json import as_json
from .html.write import page
from .run_report import RunReport


def write_report(path: Path, report: RunReport) -> None:
    """Write a page where the name ends in .html, else JSON; it appears when it is complete.

    Raises OSError as writing does.
    """
    with written_aside(path) as aside:
        aside.write_bytes(encoded(path, report))


def encoded(path: Path, report: RunReport) -> bytes:
    """Return what `write_report` writes."""
    return (page(report) if path.suffix.lower() == ".html" else as_json(report)).encode("ascii")
