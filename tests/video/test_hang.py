"""Decoders and encoders may be dropped at any moment, also where FFmpeg's log goes through Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.media import Media, make
from tests.support.paths import ROOT

DROPPED = """
import faulthandler, gc, logging, sys
from threading import Thread
faulthandler.dump_traceback_later(60, exit=True)
import av
from vfe.video.probe import probe
from vfe.video.read import open_source
from vfe.video.write import SinkConfig, open_sink
av.logging.set_level(getattr(av.logging, sys.argv[1]))  # importing torchvision <= 0.25 does so
logging.getLogger("libav").setLevel(logging.CRITICAL + 1)
paths = sys.argv[3:]

def few(path, count):
    with open_source(path) as source:
        frames = iter(source)
        return source, frames, [frame for frame, _ in zip(frames, range(count))]

def fail(path):
    with open_source(path) as source:
        for frame in source:
            raise KeyError

def cut_short(path):
    with open_source(path) as source:
        with open_sink(sys.argv[2], source.info, (source.info.width, source.info.height), SinkConfig()) as sink:
            for count, frame in enumerate(source):
                sink.write(frame)
                if count == 4:
                    raise KeyError

def all_of(path):
    for _ in range(8):
        probe(path)
        few(path, 2)

for path in paths:
    for repeat in range(25):
        probe(path)                       # one frame, then closed
        few(path, repeat % 5)             # left early
        for failing in (fail, *([cut_short] if repeat % 5 == 0 else [])):
            try:
                failing(path)
            except KeyError:
                pass
    loop = [iter(open_source(path))]      # dropped by the garbage collector, in a cycle
    next(loop[0])
    loop.append(loop)
    del loop
    gc.collect()
threads = [Thread(target=all_of, args=[path]) for path in paths]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
both = [iter(open_source(path)) for path in paths]
for frames in both:
    next(frames)                          # still open when Python ends
faulthandler.dump_traceback_later(20, exit=True)
print("all dropped")
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An H.264 file, one with errors in it, and others whose decoders have threads."""
    folder = tmp_path_factory.mktemp("hang")
    clips = [
        make(folder / "a.mp4", Media(frames=24, audio="aac", options={"bf": "2"})),
        make(folder / "b.mkv", Media(frames=12, codec="ffv1")),
        make(folder / "c.webm", Media(frames=8, codec="libvpx-vp9")),
    ]
    data = bytearray(clips[0].read_bytes())
    for at in range(len(data) // 4, len(data) // 2, 97):
        data[at] ^= 0x5A
    (folder / "d.mp4").write_bytes(bytes(data))
    return [*clips, folder / "d.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("level", ["ERROR", "TRACE"])
def test_nothing_hangs_where_the_log_level_is_set(clips: list[Path], tmp_path: Path, level: str) -> None:
    command = [sys.executable, "-c", DROPPED, level, str(tmp_path / "out.mp4"), *map(str, clips)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "all dropped" in run.stdout, run.stderr
    assert list(tmp_path.iterdir()) == []


HANGS = """
import faulthandler, sys, time
import av
av.logging.set_level(av.logging.ERROR)

def open_and_close(threads):
    with av.open(sys.argv[1]) as container:
        container.streams.video[0].codec_context.thread_type = threads
        container.streams.video[0].codec_context.thread_count = 8
        next(container.decode(video=0))
        print("closing", threads, flush=True)

def timed():
    start = time.monotonic()
    open_and_close("SLICE")
    return time.monotonic() - start

patience = 4 + 50 * max(timed() for _ in range(20))  # of this machine, as busy as it is
for _ in range(200):
    faulthandler.dump_traceback_later(patience, exit=True)
    open_and_close("FRAME")
faulthandler.cancel_dump_traceback_later()
print("all closed")
"""


@pytest.mark.slow
def test_the_hang_would_be_seen(clips: list[Path]) -> None:
    """With frame threads and without care, closing a decoder hangs: if this fails, PyAV has mended it."""
    run = subprocess.run([sys.executable, "-c", HANGS, str(clips[0])], capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    assert run.stdout.splitlines()[-1] == "closing FRAME"
    assert "Timeout" in run.stderr


def test_no_other_decoder_gets_frame_threads() -> None:
    """PyAV's default is slice threads; whoever asks for others must think of closing them."""
    asking = re.compile(r"thread_type|ThreadType|skip_frame")
    sources = [p for folder in ("vfe", "nodes", "training", "benchmarks") for p in (ROOT / folder).rglob("*.py")]
    found = {p.relative_to(ROOT).as_posix() for p in sources if asking.search(p.read_text(encoding="utf-8"))}
    assert found == {"vfe/video/decode.py"}
