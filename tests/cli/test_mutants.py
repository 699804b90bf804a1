"""Damaged files end in one line and nothing else, or in a whole output: no hang, crash, traceback or half file.

The work is done by a process that is watched from outside, so that its end is blamed on the file that it worked on.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.support import enhance_worker
from tests.support.cli_run import Run, assert_one_line_error
from tests.support.media import Media, make
from tests.support.mutants import mutants, tags_of_flv
from tests.support.watched import Watched, WorkerDied
from vfe.video.errors import MEDIA_ERRORS
from vfe.video.files import open_video
from vfe.video.probe import probe

COUNT = 300
LIMIT = 60.0  # seconds for one file, which takes a tenth of one
COMPARED = 10  # of so many files, one is decoded by the ffmpeg program too
OUTPUTS = (".mp4", ".mkv", ".mov")
SOUND = 8  # the kind of a tag of FLV


@pytest.fixture(scope="module")
def worker() -> Iterator[Watched]:
    worker = Watched(enhance_worker.MODULE, LIMIT)
    yield worker
    worker.close()


def enhanced(worker: Watched, source: Path, output: Path) -> Run:
    """What `vfe enhance` gave."""
    try:
        return Run(*json.loads(worker.ask(json.dumps([str(source), "-o", str(output)]))))
    except WorkerDied as died:
        pytest.fail(f"{source.name} {died}")


def frames_of(run: Run, output: Path) -> int:
    """How many frames were restored; a run that failed must have left nothing, and another a whole file."""
    left = [path.name for path in output.parent.iterdir()]
    if run.code == 1:
        assert_one_line_error(run)
        assert left == []
        return 0
    assert run.code == 0, run
    assert run.err == ""
    assert left == [output.name]
    frames = int(re.findall(r"^(\d+) frames? in ", run.out, re.MULTILINE)[0])
    assert decoded(output) == frames
    output.unlink()
    return frames


def decoded(path: Path) -> int:
    """How many frames PyAV decodes, without errors."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def decoded_by_ffmpeg(path: Path) -> int:
    """How many frames the ffmpeg program decodes, of what it takes for the first video."""
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    done = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, text=True, check=False)
    return sum(not line.startswith("#") for line in done.stdout.splitlines())


def is_in_reach(path: Path, frames: int) -> bool:
    """Whether PyAV's FFmpeg, which is another version than the program, finds so many frames of the first video."""
    try:
        with open_video(path) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0)) >= frames
    except MEDIA_ERRORS:
        return False


@pytest.mark.slow
def test_mutants_end_in_a_line_or_a_whole_file(worker: Watched, tmp_path: Path) -> None:
    clips, results = tmp_path / "clips", tmp_path / "results"
    clips.mkdir()
    results.mkdir()
    restored = 0
    for number, mutant in enumerate(mutants(clips, COUNT)):
        path = tmp_path / mutant.name
        path.write_bytes(mutant.data)
        output = results / f"out{OUTPUTS[number % len(OUTPUTS)]}"
        frames = frames_of(enhanced(worker, path, output), output)
        restored += frames > 0
        if number % COMPARED == 0 and shutil.which("ffmpeg"):
            reference = decoded_by_ffmpeg(path)
            assert frames >= reference or not is_in_reach(path, reference), mutant.name
    assert restored > COUNT // 2  # else the damage is so great that nothing is tried


def test_the_same_seed_gives_the_same_mutants(tmp_path: Path) -> None:
    first, again, other = (list(mutants(tmp_path, 8, seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_sound_without_its_configuration_harms_no_picture(worker: Watched, tmp_path: Path) -> None:
    """Matroska's muxer would refuse it at the very end."""
    path = make(tmp_path / "a.flv", Media(audio="aac"))
    data = path.read_bytes()
    configuration = next(
        tag for tag in tags_of_flv(data, 0, len(data)) if data[tag.start] == SOUND and data[tag.content + 1] == 0
    )
    path.write_bytes(data[: configuration.start] + data[configuration.end :])
    results = tmp_path / "results"
    results.mkdir()
    run = enhanced(worker, path, results / "out.mkv")
    assert "re-encoded as AAC: what decoders need beforehand is missing" in run.out
    assert frames_of(run, results / "out.mkv") == 6


def test_frames_before_the_start_are_kept(worker: Watched, tmp_path: Path) -> None:
    """MP4 leaves out what is shown before 0; a damaged file has frames there where its first ones are late in it."""
    path = make(tmp_path / "a.flv", Media(frames=12, options={"bf": "0"}))
    data = path.read_bytes()
    pictures = [tag for tag in tags_of_flv(data, 0, len(data)) if data[tag.start] == 9][1:-1]
    a, b = pictures[0], pictures[4]
    path.write_bytes(
        data[: a.start] + data[b.start : b.end] + data[a.end : b.start] + data[a.start : a.end] + data[b.end :]
    )
    results = tmp_path / "results"
    results.mkdir()
    run = enhanced(worker, path, results / "out.mp4")
    assert "or lay before its start, and were moved" in run.out
    assert frames_of(run, results / "out.mp4") > 6


def test_a_video_that_decodes_is_preferred(tmp_path: Path) -> None:
    """Of two, the one whose codec nobody knows may be the larger one."""
    path = tmp_path / "two.avi"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (64, 128), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        for stream in streams:
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
            container.mux([*stream.encode(frame), *stream.encode(None)])
    data = path.read_bytes()
    at = data.rindex(b"FMP4", 0, data.index(b"movi"))
    handler = data.rindex(b"vids", 0, at)
    path.write_bytes(data[: handler + 4] + b"\1\2\3\4" + data[handler + 8 : at] + b"\1\2\3\4" + data[at + 4 :])
    assert probe(path).width == 64
