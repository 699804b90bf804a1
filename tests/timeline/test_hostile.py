"""Timelines from outside: whatever they hold, what comes of it is a timeline or one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")


from tests.support.cli_run import assert_one_line_error, run_vfe, use_stand_in
from tests.support.timelines import Tape, clip_of, timeline_of, write_tape
from vfe.timeline.files import depth_of, read_timeline, write_timeline
from vfe.types import VFEError

SUFFIXES = (".otio", ".xml", ".edl", ".kdenlive")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    (folder := tmp_path / "models").mkdir()
    return use_stand_in(monkeypatch, folder)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (folder := tmp_path / "film").mkdir()
    write_tape(folder / "A001.mov", Tape(frames=40))
    return folder


def cut(film: Path, suffix: str) -> Path:
    own: dict[str, Any] = {"available": (0, 40)}
    path = film / f"cut{suffix}"
    tape = (film / "A001.mov").as_uri()
    write_timeline(timeline_of([clip_of(tape, 3, 5, **own), clip_of(tape, 20, 9, **own)]), path)
    return path


def cut_short(text: bytes, rng: random.Random) -> bytes:
    return text[: rng.randrange(len(text))]


def other_bytes(text: bytes, rng: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(rng.choice((1, 3, 30))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def other_numbers(text: bytes, rng: random.Random) -> bytes:
    """Digits become others, signs, or a number that is much too large."""
    changed = bytearray(text)
    digits = [place for place, byte in enumerate(changed) if byte in b"0123456789"]
    for place in rng.sample(digits, min(4, len(digits))):
        changed[place : place + 1] = rng.choice((b"0", b"9", b"-1", b"9" * 25, b"1e999", b"NaN"))
    return bytes(changed)


def lines_gone(text: bytes, rng: random.Random) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if rng.random() > 0.08)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", [cut_short, other_bytes, other_numbers, lines_gone])
def test_damaged_timelines_end_in_one_line(
    film: Path,
    model: str,
    suffix: str,
    damage: Callable[[bytes, random.Random], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = cut(film, suffix)
    whole, rng = path.read_bytes(), random.Random(7)
    codes = set()
    for _ in range(25):
        path.write_bytes(damage(whole, rng))
        run = run_vfe(capsys, "conform", path, "--model", model, "--dry-run", "--results", film / "results")
        if run.code:
            assert_one_line_error(run)
        assert "Traceback" not in run.out
        codes.add(run.code)
    assert 1 in codes


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "text", ["", "x" * 99, "\0" * 99, "[" * 50_000, "<a>" * 50_000, "{}", "[]", "<xmeml/>", "<mlt/>"]
)
def test_what_is_no_timeline_is_one_line(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"cut{suffix}"
    path.write_text(text)
    try:
        found = list(read_timeline(path).tracks)  # an EDL is any text without a clip
    except VFEError as error:
        assert "\n" not in str(error)
    else:
        assert (suffix, found) == (".edl", [])


def test_the_depth_of_a_text_does_not_count_its_strings() -> None:
    assert depth_of(rb'{"a": [1, {"b": "]]]\"{{{"}], "c": []}') == 3


def test_many_thousand_objects_inside_each_other_are_refused(tmp_path: Path) -> None:
    (path := tmp_path / "deep.otio").write_text('{"a":' * 200_000 + "1" + "}" * 200_000)
    with pytest.raises(VFEError, match="has more than 200 objects inside each other"):
        read_timeline(path)


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    (path := tmp_path / "cut.xml").write_text(f'<!DOCTYPE x [<!ENTITY e0 "x">{entities}]><xmeml>&e11;</xmeml>')
    with pytest.raises(VFEError, match="is no timeline that can be read"):
        read_timeline(path)


def test_several_timelines_in_a_file_are_refused(tmp_path: Path) -> None:
    import opentimelineio as otio

    collection = otio.schema.SerializableCollection(children=[timeline_of(name=name) for name in ("reel 1", "reel 2")])
    otio.adapters.write_to_file(collection, str(tmp_path / "all.otio"))
    with pytest.raises(VFEError, match=r"holds 2 timelines \(reel 1, reel 2\); export one timeline alone"):
        read_timeline(tmp_path / "all.otio")


@pytest.mark.parametrize(
    "url", ["/dev/zero", "/etc/passwd", "file:///dev/stdin", "https://example.org/a.mov", "\0", "."]
)
def test_media_that_are_none_are_listed(film: Path, model: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = film / "cut.otio"
    write_timeline(timeline_of([clip_of(url, 0, 5)]), path)
    run = run_vfe(capsys, "conform", path, "--model", model)
    assert_one_line_error(run, "1 media file of the timeline cannot be read")
    assert "missing, for 1 clip" in run.out
