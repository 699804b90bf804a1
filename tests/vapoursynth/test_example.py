"""The script that the documents show runs in vspipe, and ffmpeg takes what it gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

vs = pytest.importorskip("vapoursynth", reason="VapourSynth is not installed here")

from tests.support.moving_faces import Actor, film  # noqa: E402
from tests.support.paths import ROOT  # noqa: E402
from vfe.video.probe import probe  # noqa: E402

SCRIPT = ROOT / "editors" / "vapoursynth" / "restore.vpy"
PROGRAMS = Path(sys.executable).parent
VSPIPE = shutil.which("vspipe", path=str(PROGRAMS))


def run(script: str, source: Path, output: Path) -> str:
    """Run vspipe and ffmpeg as the head of the script says; return what vspipe said."""
    assert VSPIPE is not None
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [VSPIPE, "-a", f"source={source}", "-c", "y4m", script, "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as pipe:
        encode = ["ffmpeg", "-v", "error", "-y", "-i", "-", "-c:v", "ffv1", str(output)]
        subprocess.run(encode, stdin=pipe.stdout, check=True)
        assert pipe.stderr is not None
        said = pipe.stderr.read().decode()
    assert pipe.returncode == 0, said
    return said


def tape(folder: Path) -> Path:
    """A face that moves, 50 fields a second, top field first, badly compressed."""
    frames = film([Actor("a", lambda frame: (90.0 + 2 * frame, 74.0), 0.9)], range(20))
    raw = b"".join(((f + 1) * 127.5).round().byte().permute(1, 2, 0).numpy().tobytes() for f in frames)
    output = folder / "tape.mkv"
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "256x144", "-r", "50", "-i", "-"]
    fields = ["-vf", "tinterlace=interleave_top,setfield=tff", "-pix_fmt", "yuv420p"]
    mpeg2 = ["-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "8", str(output)]
    subprocess.run(["ffmpeg", "-v", "error", *pictures, *fields, *mpeg2], input=raw, check=True)
    return output


def keep_picture(before: Path, after: Path) -> None:
    """The 5th frame of the tape beside what it became, where pictures are asked for."""
    if kept := os.environ.get("VFE_SCREENSHOTS"):
        crop = "crop=160:144:40:0"
        beside = f"[0]select=eq(n\\,4),{crop}[a];[1]select=eq(n\\,8),{crop}[b];[a][b]hstack,scale=iw*2:-1"
        inputs = ["-i", str(before), "-i", str(after)]
        picture = Path(kept) / "vapoursynth.png"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", *inputs, "-lavfi", beside, "-frames:v", "1", str(picture)], check=True
        )


@pytest.mark.slow
@pytest.mark.skipif(VSPIPE is None or not hasattr(vs.core, "bs"), reason="needs vspipe and BestSource")
def test_the_example_restores_a_tape(tmp_path: Path) -> None:
    pytest.importorskip("vsdeinterlace", reason="QTGMC is not installed here")
    source, output = tape(tmp_path), tmp_path / "restored.mkv"
    run(str(SCRIPT), source, output)
    keep_picture(source, output)
    info = probe(output)
    assert (info.width, info.height, info.frames) == (256, 144, 20)
    assert info.rate == 50
