"""Says at the end of a test run which suites ran and which were skipped, and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SUITES = ("page", "comfy", "gpu", "slow")
"""Markers that make a test part of a suite, the first one that it has; "quick" are those with none."""
REPORT = "VFE_SUITES"
"""Environment variable: a file to which the lines are added too, so that several runs can be shown together."""
_SHOWN_REASONS = 4


@dataclass
class _Suite:
    ended: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def line(self, name: str) -> str:
        """For example: comfy: 3 passed, 1 skipped (no ComfyUI: 1)."""
        counts = ", ".join(f"{self.ended[end]} {end}" for end in ("failed", "passed", "skipped") if self.ended[end])
        reasons = "; ".join(f"{reason}: {count}" for reason, count in self.reasons.most_common(_SHOWN_REASONS))
        return f"{name}: {counts}{f' ({reasons})' if reasons else ''}"


class SuiteReport:
    """A plugin of pytest that counts how tests ended, by suite."""

    def __init__(self) -> None:
        self._suites: dict[str, _Suite] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has ended when its call has; setup and teardown count only where they fail or skip."""
        if report.when != "call" and report.passed:
            return
        suite = self._suites.setdefault(suite_of(report.keywords), _Suite())
        suite.ended[report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            suite.reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1

    def lines(self) -> list[str]:
        """One line a suite of which there was a test."""
        return [self._suites[name].line(name) for name in ("quick", *reversed(SUITES)) if name in self._suites]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the lines, and add them to the file that VFE_SUITES names."""
        terminalreporter.section("suites")
        for line in self.lines():
            terminalreporter.write_line(line)
        if named := os.environ.get(REPORT):
            with Path(named).open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in self.lines())


def suite_of(keywords: Container[str]) -> str:
    """The suite of a test with these keywords, its markers among them."""
    return next((name for name in SUITES if name in keywords), "quick")
