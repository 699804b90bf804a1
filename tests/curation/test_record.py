"""The record of a set: what is written is on the disk, what was cut off is dropped, one process writes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vfe.curation.record import ClipLine, LeftOut, Listed, Record, SourceLine
from vfe.types import VFEError

LISTED = Listed("key1", "clip1")
SOURCE = SourceLine("c0ffee", "a/b.mp4", "/films/a/b.mp4", "hq_video", (LISTED,), (LeftOut(0, 33, "no face"),), True)
CLIP = ClipLine(
    key="key1", clip="clip1", kind="hq_video", content="c0ffee", frames=(33, 66), window=(1, 2, 64), scorer="s",
    prompt="p", dims=dict.fromkeys(("detail", "stability", "lighting", "artefacts", "occlusion"), 91.5), bonus=1.0,
    penalty=0.0, total=92.5, side=64, fps=25.0, mask="oval", face=50.0, sharp=3.0, sha256="0", why="sch\u00f6n",
)  # fmt: skip


def written(folder: Path) -> Path:
    with Record(folder) as record:
        record.write(SOURCE)
        record.write(CLIP)
    return folder / "curation.jsonl"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written(tmp_path)
    record = Record(tmp_path)
    assert record.sources == {"c0ffee": SOURCE}
    assert record.line_of(LISTED) == CLIP
    assert record.verdict_of("key1") == CLIP
    assert record.bad_lines == 0


def test_a_source_that_came_to_the_same_has_one_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = path.read_bytes()
    with Record(tmp_path) as record:
        record.write(SOURCE)
    assert path.read_bytes() == before


def test_of_two_lines_the_later_counts(tmp_path: Path) -> None:
    written(tmp_path)
    with Record(tmp_path) as record:
        record.write(replace(CLIP, total=10.0))
        record.write(replace(SOURCE, clips=()))
    record = Record(tmp_path)
    assert record.sources["c0ffee"].clips == ()
    assert [line.total for line in record.clips] == [10.0]


@pytest.mark.parametrize("cut", [1, 20, 400])
def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    os.truncate(path, len(whole) - cut)
    record = Record(tmp_path)
    assert record.line_of(LISTED) is None
    assert record.sources["c0ffee"] == SOURCE
    with record:
        record.write(CLIP)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    ["no JSON", "[]", "5", "{}", '{"line": "clip"}', '{"line": "other"}', '{"line": ["clip"]}', "[" * 100_000, "\0"],
)  # fmt: skip
def test_lines_that_are_none_count_for_nothing(tmp_path: Path, line: str) -> None:
    path = written(tmp_path)
    path.write_bytes(line.encode("latin-1") + b"\n" + path.read_bytes())
    record = Record(tmp_path)
    assert record.bad_lines == 1
    assert record.line_of(LISTED) == CLIP


@pytest.mark.parametrize(
    "changes",
    [{"total": float("nan")}, {"dims": {"detail": 5}}, {"kind": "gif"}, {"clip": "../x"}, {"bonus": float("inf")}],
)  # fmt: skip
def test_a_clip_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"numbers|kind"):
        replace(CLIP, **changes)  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Record(tmp_path), pytest.raises(VFEError, match=r"another `vfe curate` writes there"), Record(tmp_path):
        pass
    with Record(tmp_path):
        pass
