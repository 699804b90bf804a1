"""docs/distillation.md: sections of methods and extras that exist, in order, and all 57 papers."""

from __future__ import annotations

import re
from dataclasses import fields

from tests.support.paths import ROOT
from training.distill.build import ExtrasConfig, MethodConfig

PAGE = (ROOT / "docs/distillation.md").read_text(encoding="utf-8")
METHODS = {each.name for each in fields(MethodConfig)}
EXTRAS = {each.name for each in fields(ExtrasConfig)}


def test_sections_are_of_methods_and_extras_in_order() -> None:
    headings = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    names = [heading.removesuffix(" (extra)") for heading in headings]
    assert names == sorted(names)
    assert {name for name in names if f"{name} (extra)" in headings} == EXTRAS
    assert set(names) - EXTRAS <= METHODS


def test_what_it_advises_exists() -> None:
    table = PAGE.partition("## Which method for what")[2].partition("\n## ")[0]
    advised = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|[^|]+\|([^|]+)\|", table, re.MULTILINE))))
    assert advised > EXTRAS
    assert advised <= METHODS | EXTRAS


def test_every_paper_has_a_row_that_says_what_came_of_it() -> None:
    rows = [re.split(r" \| ", line.strip("| ")) for line in PAGE.splitlines() if re.match(r"\| \d", line)]
    assert [int(row[0]) for row in rows] == list(range(1, 58))
    assert all(row[2].startswith(("abstract", "code")) for row in rows)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[3])}
    assert named >= EXTRAS | {"output", "feature", "severity", "twin"}
