"""The program for Shotcut's Open With: it gets one path, restores beside it, and says in a file what went wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from editors.shotcut import install
from tests.support.clips import Clip, write_clip
from tests.support.vfe_program import vfe_program
from vfe.video.probe import probe

ON_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="the program of the test is a script of Unix")


def opened(folder: Path, clip: Path) -> int:
    """Hand a clip to the program, as Shotcut does; return its exit code."""
    program = install.install(folder / "bin", str(vfe_program(folder)), sys.platform)
    return subprocess.run([str(program), str(clip)], env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode


@ON_UNIX
@pytest.mark.slow
def test_a_clip_is_restored_beside_itself(tmp_path: Path) -> None:
    folder = tmp_path / "it's $HOME & more"
    folder.mkdir()
    clip = write_clip(folder / "my clip.v2.mp4", Clip(frames=6, width=128, height=96))
    before = clip.read_bytes()
    assert opened(folder, clip) == 0
    assert probe(folder / "my clip.v2.restored.mkv").frames == 6
    assert clip.read_bytes() == before
    assert list(folder.glob("*.log")) == []


@ON_UNIX
@pytest.mark.slow
def test_what_is_there_stays_and_a_file_says_why(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=2, width=128, height=96))
    (tmp_path / "clip.restored.mkv").write_bytes(b"mine")
    assert opened(tmp_path, clip) != 0
    assert (tmp_path / "clip.restored.mkv").read_bytes() == b"mine"
    assert "exists already" in (tmp_path / "clip.restored.log").read_text(encoding="utf-8")


def test_the_batch_file_of_windows_quotes_what_it_is_given() -> None:
    text = install.text_of("win32", "C:\\Program Files\\vfe.exe")
    assert '\r\n"C:\\Program Files\\vfe.exe" enhance "%~1" -o "%~dpn1.restored.mkv" --region face > ' in text
    assert "\n" not in text.replace("\r\n", "")


@pytest.mark.parametrize(("platform", "expected"), [("linux", ".local/bin"), ("win32", "AppData/Local/VFE")])
def test_the_program_lies_among_those_of_the_user(platform: str, expected: str) -> None:
    assert install.programs_folder(platform, Path("home"), {}) == Path("home") / expected
