"""`vfe enhance` that is killed goes on with the same line, and ends in the bytes of an undisturbed pass."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.cli_run import run_python
from tests.support.clips import Clip, write_clip
from tests.support.curated import write_film
from tests.support.moving_faces import Actor, film
from tests.support.small_jobs import single_pass, stand_in
from vfe.options import RestoreOptions

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")]


def expecting(folder: Path, frames: int) -> Path:
    """A clip with, beside it, the bytes that a single pass makes of it."""
    path = write_clip(folder / "clip.mkv", Clip(frames=frames, audio=True))
    path.with_name("clip.mkv.expected").write_bytes(single_pass(path, stand_in()))
    return path


def test_it_goes_on_after_kills_at_random_moments(tmp_path: Path) -> None:
    clip = expecting(tmp_path, 90)
    run = run_python("-m", "tests.support.killed_jobs", "at-random", clip, tmp_path / "film.mkv")
    assert run.code == 0, run.err
    assert run.out.startswith("20 kills")


def test_it_goes_on_after_a_kill_before_each_step(tmp_path: Path) -> None:
    """Each step of the disk: planning, chunks, what vouches for them, the result and its name, tidying up."""
    clip = expecting(tmp_path, 30)
    run = run_python("-m", "tests.support.killed_jobs", "at-each-step", clip, tmp_path / "film.mkv")
    assert run.code == 0, run.err
    kills = re.match(r"(\d+) kills", run.out)
    assert kills
    assert int(kills[1]) > 30


def test_nets_look_at_no_frame_twice_after_kills(tmp_path: Path) -> None:
    """The first pass over the film goes on where it was; each kill costs the answer that was waited for."""
    clip = tmp_path / "clip.mkv"
    with_face = film([Actor("a", lambda at: (110.0 + 2 * at, 70.0))], range(9))
    write_film(clip, [*with_face, *film([], range(9, 14), ground=1)])
    clip.with_name("clip.mkv.expected").write_bytes(single_pass(clip, stand_in(), RestoreOptions(region="face")))
    run = run_python("-m", "tests.support.killed_jobs", "while-looking", clip, tmp_path / "film.mkv")
    assert run.code == 0, run.err
    kills, asked, needed = map(int, re.findall(r"\d+", run.out))
    assert kills > 2
    assert asked == needed > 10
    assert not list(tmp_path.glob(".film*"))
