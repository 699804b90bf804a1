"""What killed processes left beside an output is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

from vfe.files.aside import hidden_name, remove_leftovers


def test_files_and_folders_of_this_output_alone(tmp_path: Path) -> None:
    output = tmp_path / ("long name " * 10 + "[1].mp4")
    left = [hidden_name(output, ".mp4"), hidden_name(output, ".mp4")]
    others = [hidden_name(output, ".mkv"), hidden_name(tmp_path / "b.mp4", ".mp4"), output, tmp_path / ".a.vfe-job"]
    for path in (*left, *others):
        path.touch()
    remove_leftovers(output)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_half_a_folder_of_frames(tmp_path: Path) -> None:
    hidden = hidden_name(tmp_path / "reel")
    (hidden / "deep").mkdir(parents=True)
    (hidden / "1.png").touch()
    remove_leftovers(tmp_path / "reel")
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_folder_nothing_happens(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none" / "a.mp4")
    (circle := tmp_path / "circle.mp4").symlink_to(circle)
    remove_leftovers(circle)
    assert circle.is_symlink()
