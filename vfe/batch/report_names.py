"""Where the reports of many files go: each to the place of its output, below a folder of reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..files.aside import fitting_name
from ..options import REPORT_SUFFIXES


@dataclass(frozen=True)
class ReportNames:
    """A folder of reports, and what their names end in."""

    folder: Path
    suffix: str = ".html"

    @classmethod
    def of(cls, given: Path) -> ReportNames:
        """Read `reports`, a folder of pages, or `reports/*.json`. Raises ValueError for the name of one report."""
        suffix = given.suffix.lower()
        if suffix not in REPORT_SUFFIXES:
            return cls(given)
        if given.stem != "*":
            raise ValueError(f"{given} is one report; give a folder of reports, or {given.with_name('*' + suffix)}")
        return cls(given.parent, suffix)

    def report_of(self, output: Path) -> Path:
        """Return the report of an output, which is named below the folder of outputs."""
        return self.folder / output.parent / fitting_name(output.name, self.suffix)
