"""A report becomes a file."""

from __future__ import annotations

from pathlib import Path

from ..files.aside import written_aside
from .as_json import as_json
from .run_report import RunReport


def write_report(path: Path, report: RunReport) -> None:
    """Write JSON, which appears when it is complete. Raises OSError as writing does."""
    with written_aside(path) as aside:
        aside.write_text(as_json(report), encoding="utf-8")
