"""The JSON of a report holds what docs/formats.md says, for runs of any size."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.run_reports import reported_face, run_report
from vfe.options import RestoreOptions
from vfe.report.as_json import OF_FILES, as_json
from vfe.report.run_report import ReportedClip, ReportedFace


def keys_of(value: object) -> set[str]:
    """The names of all fields, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in keys_of(part)}
    return {key for part in value for key in keys_of(part)} if isinstance(value, list) else set()


@pytest.mark.parametrize("faces", [None, (), (reported_face(1, 0, 9), reported_face(2, 3, 4, samples=0))])
def test_every_field_is_documented(faces: tuple[ReportedFace, ...] | None) -> None:
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")))
    told = json.loads(as_json(run_report(faces=faces)))
    options = set(told.pop("options"))
    assert keys_of(told) - documented == set()
    assert "report" not in options


def test_options_that_name_files_are_left_out() -> None:
    assert {option.name for option in fields(RestoreOptions) if "Path" in str(option.type)} < set(OF_FILES)


def test_bounds_are_the_first_frame_and_the_one_after_the_last() -> None:
    told = json.loads(as_json(run_report(faces=(reported_face(1, 2, 9),))))
    (face,) = told["faces"]
    assert (face["start"], face["stop"], face["unseen"]) == (2, 9, [[2, 3]])
    assert told["windows"] == [[0, 24]]
    assert face["sharpness"] == {"before": 3.0, "after": 4.0}


def test_names_that_are_no_text_are_spelt_out() -> None:
    clip = ReportedClip.of(Path("a\udcff\x1b[1m.mp4"), (64, 48))
    assert clip.name.isprintable()
    assert json.loads(as_json(run_report(source=clip)))["source"]["name"] == clip.name
