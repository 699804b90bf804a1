"""The record of what was made: its lines, what a crash leaves of them, what they say of a file that is there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vfe.batch.record import RECORD, Entry, Record, as_json
from vfe.batch.stamp import Stamp, identity_of, stamp_of

OPTIONS = as_json({"strength": 1.0, "size": (64, 48), "vae": Path("v.pth")})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (path := tmp_path / "caf\udce9\n.mp4").write_bytes(b"a source")
    return path


def entry(source: Path, **changes: object) -> Entry:
    made = Entry("done", "a.mp4", source.name, identity_of(source), OPTIONS, Stamp(1, 2))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_is_written_is_read_and_the_last_line_counts(source: Path, tmp_path: Path) -> None:
    record = Record(tmp_path)
    assert record.entry("a.mp4") is None
    begun, done = entry(source, state="begun", stamp=None), entry(source)
    for line in (begun, entry(source, output="b.mp4"), done):
        record.write(line)
    for again in (record, Record(tmp_path)):
        assert again.entry("a.mp4") == done
        assert again.entry("b.mp4") == entry(source, output="b.mp4")
        assert again.bad_lines == 0


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_a_line_that_a_crash_cut_costs_itself_alone(cut: int, source: Path, tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.write(entry(source))
    record.write(entry(source, output="b.mp4"))
    os.truncate(tmp_path / RECORD, (tmp_path / RECORD).stat().st_size - cut)
    cut_short = Record(tmp_path)
    cut_short.write(entry(source, output="c.mp4"))
    read = Record(tmp_path)
    assert {name for name in ("a.mp4", "b.mp4", "c.mp4") if read.entry(name)} >= {"a.mp4", "c.mp4"}
    assert read.bad_lines == (0 if cut == 1 else 1)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"state": "else"}',
        b"null",
        b'{"output": []}',
    ],
)
def test_lines_of_others_count_for_nothing(line: bytes, source: Path, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_bytes(line + b"\n")
    record = Record(tmp_path)
    assert record.bad_lines == 1
    record.write(entry(source))
    assert Record(tmp_path).entry("a.mp4") == entry(source)


def test_an_unknown_state_is_no_entry(source: Path, tmp_path: Path) -> None:
    Record(tmp_path).write(entry(source))
    text = (tmp_path / RECORD).read_text().replace('"done"', '"gone"')
    (tmp_path / RECORD).write_text(text)
    assert Record(tmp_path).bad_lines == 1


@pytest.mark.parametrize(
    ("state", "stamp", "made"),
    [
        ("begun", None, True),
        ("begun", Stamp(3, 4), True),
        ("begun", Stamp(1, 2), False),
        ("done", Stamp(1, 2), True),
        ("done", Stamp(1, 3), False),
        ("failed", None, False),
    ],
)
def test_which_files_are_results(state: str, stamp: Stamp | None, made: bool, source: Path) -> None:
    """`begun` has the stamp of what lay there before: another file is the result, which a crash kept from its line."""
    assert entry(source, state=state, stamp=stamp).made(Stamp(1, 2)) is made


def test_what_a_result_differs_in_is_said(source: Path) -> None:
    made = entry(source)
    assert made.difference(source, source.name, OPTIONS) is None
    assert made.difference(source, "other.mp4", OPTIONS) == f"from {source.name}"
    assert made.difference(source, source.name, {**OPTIONS, "strength": 0.5}) == "with another strength (1.0, now 0.5)"
    assert made.difference(source, source.name, {**OPTIONS, "new": 1}) == "with another new (none, now 1)"
    os.utime(source, ns=(1, 1))
    assert made.difference(source, source.name, OPTIONS) is None, "a copy with another time is the same source"
    source.write_bytes(b"a Source")
    assert made.difference(source, source.name, OPTIONS) == f"from an earlier {source.name}"


def test_a_folder_of_frames_has_an_identity(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "none") is None
    assert stamp_of(tmp_path) is None, "an empty folder is nothing"
    (tmp_path / "1.png").write_bytes(b"one")
    identity = identity_of(tmp_path)
    (tmp_path / ".hidden").touch()
    assert identity.is_of(tmp_path)
    os.utime(tmp_path / "1.png", ns=(1, 1))
    assert not identity.is_of(tmp_path)
