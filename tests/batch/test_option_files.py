"""Options of single files: batch.yaml with patterns, and files beside clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfe.batch.clips import Clip
from vfe.batch.given import GivenOptions
from vfe.batch.option_files import OptionFiles
from vfe.types import VFEError


def given(root: Path, name: str) -> GivenOptions:
    return OptionFiles(root).given(Clip(root / name, Path(name)))


def test_without_files_nothing_is_given(tmp_path: Path) -> None:
    assert given(tmp_path, "a/b.mp4") == GivenOptions()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.mp4", GivenOptions(strength=0.9)),
        ("8mm/x.avi", GivenOptions(strength=0.5, preset="old-film")),
        ("8mm/deep/x.avi", GivenOptions(strength=0.5, preset="old-film")),
        ("x.mov", GivenOptions(strength=0.9, scale=2.0)),
        ("8mm/x.mov", GivenOptions(strength=0.5, preset="old-film", scale=2.0)),
        ("a/8mm/x.mp4", GivenOptions(strength=0.9)),
    ],
)
def test_the_last_pattern_that_fits_counts(name: str, expected: GivenOptions, tmp_path: Path) -> None:
    text = '"*": {strength: 0.9, size: [8, 8]}\n"8mm/*": {strength: 0.5, preset: old-film}\n"*.mov": {scale: 2}\n'
    (tmp_path / "batch.yaml").write_text(text.replace(", size: [8, 8]", ""))
    assert given(tmp_path, name) == expected


def test_a_file_beside_the_clip_comes_before(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "batch.yaml").write_text('"*": {strength: 0.9, crf: 3}')
    (tmp_path / "a" / "b.c.vfe.yaml").write_text("strength: 0.1")
    assert given(tmp_path, "a/b.c.mp4") == GivenOptions(strength=0.1, crf=3)
    assert given(tmp_path, "a/b.mp4") == GivenOptions(strength=0.9, crf=3)


def test_a_folder_of_frames_has_its_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "reel.1").mkdir()
    (tmp_path / "reel.1.vfe.yaml").write_text("strength: 0.1")
    assert given(tmp_path, "reel.1") == GivenOptions(strength=0.1)


@pytest.mark.parametrize(
    "text", ["- 1", "text", '"*": 1', '"*": {crf: 99}', '"*": {x: 1}', '"*": [', "[1, 2]: {crf: 3}"]
)
def test_a_wrong_batch_file_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "batch.yaml").write_text(text)
    with pytest.raises(VFEError, match=r"batch\.yaml: ") as caught:
        OptionFiles(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- 1", "text", "crf: 99", "x: 1", "crf: [", "strength: yes"])
def test_a_wrong_file_beside_a_clip_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.vfe.yaml").write_text(text)
    with pytest.raises(VFEError, match=r"a\.vfe\.yaml: ") as caught:
        given(tmp_path, "a.mp4")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["batch.yaml", "a.vfe.yaml"])
def test_empty_files_give_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("# nothing yet\n")
    assert given(tmp_path, "a.mp4") == GivenOptions()
