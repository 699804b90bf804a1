"""How late and how often `vfe live` shows frames: `python -m benchmarks.live`.

A file is played in real time through the command, into a page and a stream on loopback, which are read as by programs
that look. The delay is from when the command had read a frame to when a reader has all of it: of the page the whole
JPEG, of the stream the decoded frame. The clip is the portrait of the quickstart in frames of 640x480, so that one face
is restored in aligned crops of 256x256. `--profile` says instead where the time of a group of frames goes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO

from .machine import RESULTS, cpu_name, table
from .saving import write_results

SIZE = (640, 480)
FACE_VIEW = 384
"""The side of the portrait in a frame; the face in it is about half as wide."""
GOAL = "a delay below 400 ms and 20 frames/s of 256x256 faces on two cores"
QUIET = 10.0
"""Seconds at the beginning that do not count: torch allocates, the stream's reader finds out what it reads."""


@dataclass(frozen=True)
class Seen:
    """What one reader saw."""

    reader: str
    frames: int
    seconds: float
    delay_ms: float
    """The median."""
    worst_delay_ms: float
    """The 95th percentile."""
    dropped_share: float
    """Of the frames of the clip between the first and the last that was seen."""

    @property
    def fps(self) -> float:
        return self.frames / self.seconds


@dataclass(frozen=True)
class LiveRun:
    """One run, and what else the machine did meanwhile."""

    seen: tuple[Seen, ...]
    fps_in: float
    cpu_ms: float
    """CPU time of the command, for each frame that it showed."""
    restoring_ms: float
    """By the clock, for a group of four frames."""
    cores: str
    load: float
    """Processes that wanted to run on the machine on average, this one's among them."""


def make_clip(path: Path) -> None:
    """Write two seconds of the degraded portrait, the same on every call, that can be played in a circle."""
    import av
    import torch.nn.functional as F

    from training.demo import clean_clip, degraded_clip

    frames = degraded_clip(clean_clip()).permute(0, 3, 1, 2)
    margins = [(SIZE[0] - FACE_VIEW) // 2] * 2 + [(SIZE[1] - FACE_VIEW) // 2] * 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for frame in F.pad(frames, margins, value=96).permute(0, 2, 3, 1).contiguous().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


class PageReader:
    """Reads the MJPEG as a browser does: when each frame was taken and seen, by number."""

    def __init__(self, port: int) -> None:
        self.taken: dict[int, float] = {}
        self.seen: dict[int, float] = {}
        self._port = port
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        reader = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        reader.sendall(b"GET /after.mjpg HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        with reader, reader.makefile("rb") as stream:
            while line := stream.readline():
                if line.startswith(b"Content-Length:"):
                    length = int(line.split(b":")[1])
                    number, taken = (float(stream.readline().split(b":")[1]) for _ in range(2))
                    stream.readline()
                    stream.read(length)
                    self.taken[int(number)], self.seen[int(number)] = taken, time.monotonic()


STREAM_READER = """
import sys, time, av
with av.open(sys.argv[1], options={"fflags": "nobuffer", "probesize": "100000", "analyzeduration": "100000"}) as stream:
    video = stream.streams.video[0]
    video.codec_context.flags |= 1 << 19
    for frame in stream.decode(video):
        print(float(frame.pts * frame.time_base), time.monotonic(), flush=True)
"""
"""Decodes in a process of its own, with FFmpeg's low delay; times are of the stream, and of the clock of the system."""


def read_records(stream: IO[str], into: list[dict[str, float]]) -> None:
    into.extend(json.loads(line) for line in stream if line.startswith("{"))


def read_lines(stream: IO[str], into: list[tuple[float, float]]) -> None:
    for line in stream:
        shown, seen = line.split()
        into.append((float(shown), float(seen)))


def origin(shown: list[float], taken: list[float]) -> float:
    """Return when the stream's clock was 0, by that of the system: most pairs of the two agree on it."""
    near = Counter(round(other - one, 3) for one in shown[:200] for other in taken)
    return near.most_common(1)[0][0]


def summed_up(reader: str, pairs: list[tuple[float, float]], fps_in: float) -> Seen:
    """`pairs` are when frames were taken and seen."""
    delays = sorted(1000 * (seen - taken) for taken, seen in pairs)
    seconds = pairs[-1][1] - pairs[0][1]
    due = fps_in * (pairs[-1][0] - pairs[0][0]) + 1
    worst = delays[min(int(0.95 * len(delays)), len(delays) - 1)]
    return Seen(reader, len(pairs), seconds, median(delays), worst, max(0.0, 1 - len(pairs) / due))


def measure(clip: Path, seconds: float, options: list[str]) -> LiveRun:
    """Run the command for so many seconds that count."""
    import psutil

    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        port, stream_port = tcp.getsockname()[1], udp.getsockname()[1]
    address = f"udp://127.0.0.1:{stream_port}"
    outputs = ["-o", f"http://127.0.0.1:{port}", "-o", address, "--progress", "json"]
    command = [sys.executable, "-m", "vfe", "live", str(clip), "--loop", *outputs, *options]
    decoder = [sys.executable, "-c", STREAM_READER, address + "?fifo_size=100000&overrun_nonfatal=1&timeout=120000000"]
    shown: list[tuple[float, float]] = []
    with (
        subprocess.Popen(decoder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as reader,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run,
    ):
        assert reader.stdout is not None
        assert run.stdout is not None
        assert run.stderr is not None
        threading.Thread(target=read_lines, args=(reader.stdout, shown), daemon=True).start()
        if not re.match("live: ", run.stdout.readline()):
            sys.exit(f"vfe live did not begin: {run.stderr.read()}")
        records: list[dict[str, float]] = []
        threading.Thread(target=read_records, args=(run.stderr, records), daemon=True).start()
        page, process = PageReader(port), psutil.Process(run.pid)
        time.sleep(QUIET)
        since, before = time.monotonic(), sum(process.cpu_times()[:2])
        time.sleep(seconds)
        used, now = sum(process.cpu_times()[:2]) - before, time.monotonic()
        run.terminate()
        run.wait(60)
        reader.terminate()
    return summary(page, shown, records, (since, now), used)


def summary(
    page: PageReader,
    shown: list[tuple[float, float]],
    records: list[dict[str, float]],
    span: tuple[float, float],
    used: float,
) -> LiveRun:
    """Put together what was seen in a span of time, in which the command used so many seconds of the processor."""
    fps_in = records[-2]["fps_in"] if len(records) > 1 else 0.0
    start = origin([when for when, _ in shown], list(page.taken.values())) if shown else 0.0
    by_page = [(page.taken[number], seen) for number, seen in page.seen.items()]
    readers = {
        "page (MJPEG over HTTP)": by_page,
        "stream (H.264 in MPEG-TS over UDP)": [(start + w, s) for w, s in shown],
    }
    seen = []
    for name, pairs in readers.items():
        counted = [pair for pair in pairs if span[0] <= pair[1] <= span[1]]
        if len(counted) > 1:
            seen.append(summed_up(name, counted, fps_in))
    frames = max((one.frames for one in seen), default=1)
    restoring = median(record["restoring_ms"] for record in records)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return LiveRun(tuple(seen), fps_in, 1000 * used / frames, restoring, cpu_name(), load)


def profile(clip: Path, rounds: int) -> list[tuple[str, float]]:
    """Milliseconds of one thread's CPU time for each part of the work on a group of four frames."""
    import torch

    import vfe
    from vfe.face.detect.detector import FaceDetector
    from vfe.face.paste.aligned import AlignedPatcher
    from vfe.face.paste.paste import paste
    from vfe.live.follow import FollowConfig
    from vfe.live.gather import Gatherer
    from vfe.live.group import GROUP
    from vfe.live.outputs.jpeg import JpegEncoder
    from vfe.live.restore import GroupRestorer, LiveOptions
    from vfe.live.source import LiveInput, LiveSource
    from vfe.own_process import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    restorer = GroupRestorer.of(vfe.load("lite", "cpu"), LiveOptions())
    gatherer, source, encoder = (
        Gatherer(FaceDetector.load(), FollowConfig()),
        LiveSource(LiveInput(clip)),
        JpegEncoder(),
    )
    frames = [frame.developed() for frame, _ in zip(source.frames(), range(16 + GROUP * rounds), strict=False)]
    for frame in frames[:16]:
        group = gatherer.push(frame)
    picture, track = frames[0].picture, group.faces[0].track
    pixels = torch.from_numpy(picture).permute(2, 0, 1).float() / 127.5 - 1
    patcher = AlignedPatcher(track, interpolation="bilinear")
    crop = patcher.take(pixels, 0)
    clip_of_crops = torch.stack([crop] * GROUP, 1)[None]
    no_faces = GroupRestorer(restorer.frames, None, restorer.options)
    spent: list[tuple[str, float]] = []

    def time_of(name: str, work: object, times: int = 1) -> None:
        assert callable(work)
        work()
        began = time.thread_time()
        for _ in range(rounds):
            work()
        spent.append((name, 1000 * times * (time.thread_time() - began) / rounds))

    with torch.inference_mode():
        following = iter(frames[16:])
        began = time.thread_time()
        for frame in following:
            gatherer.push(frame)
        spent.append(("faces followed", 1000 * GROUP * (time.thread_time() - began) / len(frames[16:])))
        time_of("crops cut out", lambda: patcher.take(pixels, 0), GROUP)
        time_of("part for frames", lambda: no_faces._restored(clip_of_crops))
        time_of("both parts", lambda: restorer._restored(clip_of_crops))
        time_of("pasted back", lambda: paste(pixels, [patcher.patch(pixels, 0, crop, crop)]), GROUP)
        time_of("a group restored", lambda: restorer.restore(group))
        time_of("JPEG", lambda: encoder.encode(picture), GROUP)
    return spent


def report_text(run: LiveRun) -> str:
    """The measurements as Markdown."""
    rows = []
    for one in run.seen:
        numbers = (
            f"{one.fps:.1f}",
            f"{one.delay_ms:.0f}",
            f"{one.worst_delay_ms:.0f}",
            f"{100 * one.dropped_share:.0f} %",
        )
        rows.append([one.reader, *numbers])
    lines = [
        table(["reader", "frames/s", "delay, ms", "95 % below, ms", "dropped"], rows),
        "",
        f"A file of {run.fps_in:.1f} frames/s on {run.cores}; {run.cpu_ms:.0f} ms of CPU time a frame, "
        f"{run.restoring_ms:.0f} ms by the clock to restore four.",
        f"On the machine {run.load:.1f} processes wanted to run at a time, this one's among them.",
        f"The goal is {GOAL}.",
    ]
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("clip", nargs="?", type=Path, help="a video; default: the portrait of the quickstart")
    parser.add_argument("--seconds", type=float, default=30, help="how long it is measured")
    parser.add_argument("--profile", action="store_true", help="where the time of a group goes, on one thread")
    parser.add_argument("--rounds", type=int, default=8, help="of the profile")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--save", action="store_true", help=f"also write {RESULTS.name}/live.md and .json")
    parser.add_argument("--options", default="", help="further options of the command, as '--fidelity 1'")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip or Path(folder) / "portrait.mp4"
        if args.clip is None:
            make_clip(clip)
        if args.profile:
            print(
                table(
                    ["of a group of four frames", "CPU ms"], [[n, f"{ms:.1f}"] for n, ms in profile(clip, args.rounds)]
                )
            )
            return
        run = measure(clip, args.seconds, shlex.split(args.options))
    raw, text = asdict(run), report_text(run)
    print(json.dumps(raw, indent=1) if args.json else text)
    if args.save:
        write_results(RESULTS, "live", text, raw)


if __name__ == "__main__":
    main(sys.argv[1:])
