"""A job on a disk that is full, or may not be written to: one line, and nothing that was done is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_run import Run, assert_one_line_error
from tests.support.clips import Clip, write_clip
from tests.support.paths import ROOT
from tests.support.small_jobs import single_pass, stand_in

pytestmark = pytest.mark.slow

ENHANCE = """
import sys, vfe.restore.restorer
from tests.support.mixing_pipeline import MixingPipeline
from vfe.cli import main
from vfe.pipeline.windows import WindowConfig

vfe.restore.restorer.load_pipeline = lambda *_: MixingPipeline(WindowConfig(9, 1))
sys.exit(main())
"""
LIMIT = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""


def enhance(clip: Path, *options: object, script: str = ENHANCE) -> Run:
    """`vfe enhance` of a clip through a job beside it."""
    command = [sys.executable, "-c", script, "enhance", clip, "-o", clip.with_name("film.mkv"), "--job", "job"]
    command += ["--face-model", "none", "--segment-frames", "20", "--device", "cpu", *options]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=clip.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on file sizes")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=60))
    run = enhance(clip, "--job-codec", "raw", script=LIMIT.format(60_000) + ENHANCE)  # a raw chunk has 92 kB
    assert_one_line_error(run, "disk full", "free some space")
    assert {path.name for path in (tmp_path / "job").iterdir()} == {"job.json", "survey"}
    run = enhance(clip, "--job-codec", "raw")
    assert run.code == 0, run.err
    assert "going on with the job in job: 0 of 60 frames are done" in run.out
    assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())
    assert not (tmp_path / "job").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a file system")
def test_a_small_disk(tmp_path: Path) -> None:
    """A real one is refused; and what is done there regardless stays, and the same line goes on when there is space."""
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=60))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let its root mount a file system")
    try:
        run = enhance(clip, "--job-codec", "raw", "--job", disk / "job")
        assert_one_line_error(run, "are free there, and the chunks take 0.3 MB", "--job-codec ffv1", "--no-disk-check")
        assert list(disk.iterdir()) == []
        run = enhance(clip, "--job-codec", "raw", "--job", disk / "job", "--no-disk-check")
        assert_one_line_error(run, "disk full", "free some space")
        done = len(list((disk / "job").glob("*.ok")))
        assert 0 < done < 3
        subprocess.run(["mount", "-o", "remount,size=9m", disk], check=True)
        run = enhance(clip, "--job-codec", "raw", "--job", disk / "job")
        assert run.code == 0, run.err
        assert f"{20 * done} of 60 frames are done" in run.out
        assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a file system")
def test_a_read_only_disk(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=60))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let its root mount a file system")
    try:
        run = enhance(clip, "--job", disk / "job", script=f"{LIMIT.format(9_000)}{ENHANCE}")
        assert_one_line_error(run, "disk full")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run = enhance(clip, "--job", disk / "job")
        assert_one_line_error(run, "ead-only", str(disk / "job"))
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert enhance(clip, "--job", disk / "job").code == 0
        assert (tmp_path / "film.mkv").read_bytes() == single_pass(clip, stand_in())
    finally:
        subprocess.run(["umount", disk], check=True)
