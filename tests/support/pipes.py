"""Y4M made by the ffmpeg program, and restored in this process through standard streams that are files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli_run import BrightenPipeline
from vfe.options import RestoreOptions
from vfe.restore.restorer import Restorer, RestoreReport

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with the ffmpeg program")
UNTOUCHED = RestoreOptions(strength=0, overwrite=True)
PATTERN = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30000/1001", "-frames:v", "3")


class Piped(NamedTuple):
    """What a run gave: its report, and what it wrote to standard output."""

    report: RestoreReport
    y4m: bytes

    @property
    def header(self) -> list[str]:
        """The words of the first line."""
        return self.y4m.partition(b"\n")[0].decode().split()


def ffmpeg(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """The standard output of the ffmpeg program."""
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def pattern(pix_fmt: str, *more: str) -> bytes:
    """Three frames of a moving pattern as Y4M."""
    return ffmpeg(*PATTERN, "-pix_fmt", pix_fmt, *more, "-strict", "-1", "-f", "yuv4mpegpipe", "-")


def pipe_through(folder: Path, src: bytes | Path, dst: Path = Path("-"), options: RestoreOptions = UNTOUCHED) -> Piped:
    """Restore Y4M, or a file, with a stand-in model; standard input and output are files of `folder` meanwhile."""
    (folder / "stdin").write_bytes(src if isinstance(src, bytes) else b"")
    with (
        pytest.MonkeyPatch.context() as patch,
        (folder / "stdin").open() as stdin,
        (folder / "stdout").open("w") as stdout,
    ):
        patch.setattr("sys.stdin", stdin)
        patch.setattr("sys.stdout", stdout)
        source = Path("-") if isinstance(src, bytes) else src
        report = Restorer(BrightenPipeline()).restore_file(source, dst, options)
    return Piped(report, (folder / "stdout").read_bytes())
