"""Times of a file as the ffmpeg program repairs them, and those of what we make of it.

The reference is the program's own transcode of the same file, with `-fps_mode passthrough`: without it, ffmpeg repeats
and drops frames where the output format is one of constant rate for it (MP4 before FFmpeg 6), and restoring must do
neither. `-enc_time_base -1` keeps the source's units, so nothing is rounded; framecrc prints the packets as an MP4 or
Matroska muxer would get them. All sound streams are asked for: which ones the program would choose is not compared.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import pytest

from vfe.video.read import open_source
from vfe.video.write import SinkConfig, open_sink

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg program: THE PROOF OF TIMES IS SKIPPED")


class Span(NamedTuple):
    """When the sound of one stream starts and ends, in seconds."""

    start: Fraction
    end: Fraction


class Times(NamedTuple):
    """When the frames are shown, and when each stream of sound starts and ends, in seconds."""

    frames: list[Fraction]
    sound: list[Span]
    notes: list[str]


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run the program; what it writes to its output. An error of its own fails the test."""
    assert FFMPEG is not None
    command = [FFMPEG, "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert run.returncode == 0, (command, run.stderr.decode(errors="replace")[-1500:])
    return run.stdout


def reference(path: Path, audio: str = "copy") -> Times:
    """What the ffmpeg program makes of a file, its sound copied or encoded with the encoder `audio`."""
    video = ["-map", "0:V:0", "-fps_mode", "passthrough", "-enc_time_base:v", "-1", "-c:v", "rawvideo"]
    sound = ["-map", "0:a?", "-c:a", audio]
    lines = ffmpeg("-i", path, *video, "-s", "16x16", "-pix_fmt", "gray", *sound, "-f", "framecrc", "-")
    units: dict[str, Fraction] = {}
    packets: dict[str, list[tuple[Fraction, Fraction]]] = {}
    for line in lines.decode().splitlines():
        if line.startswith("#tb"):
            index, unit = line.removeprefix("#tb ").split(":")
            units[index] = Fraction(unit.strip())
        elif not line.startswith("#"):
            index, _, pts, duration, *_ = (part.strip() for part in line.split(","))
            packets.setdefault(index, []).append((int(pts) * units[index], int(duration) * units[index]))
    spans = [_span(packets[index]) for index in sorted(packets, key=int) if index != "0"]
    return Times([when for when, _ in packets["0"]], spans, [])


def pass_through(path: Path, target: Path) -> Times:
    """Read the frames of a file and write them, with all that travels beside them; the times of the result."""
    with open_source(path) as source:
        size = (source.info.width, source.info.height)
        with open_sink(target, source.info, size, SinkConfig(overwrite=True, crf=40)) as sink:
            for frame in source:
                sink.write(replace(frame, stored=None))
    return replace_notes(times_of(target), [*source.notes, *sink.notes])


def replace_notes(times: Times, notes: list[str]) -> Times:
    return times._replace(notes=notes)


def times_of(path: Path) -> Times:
    """Times of a file that needs no repair."""
    with av.open(str(path)) as container:
        frames = [f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base]
    packets: dict[int, list[tuple[Fraction, Fraction]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux(*container.streams.audio) if container.streams.audio else ():
            if packet.pts is not None:
                length = (packet.duration or 0) * packet.time_base
                packets.setdefault(packet.stream_index, []).append((packet.pts * packet.time_base, length))
    return Times(frames, [_span(packets[index]) for index in sorted(packets)], [])


def _span(packets: list[tuple[Fraction, Fraction]]) -> Span:
    return Span(min(when for when, _ in packets), max(when + length for when, length in packets))
