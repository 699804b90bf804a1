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
    """When the first and the last packet of a stream of sound start, in seconds.

    Where the last one ends is no measure: releases of FFmpeg differ in what they say of partly filled packets.
    """

    first: Fraction
    last: Fraction


class Times(NamedTuple):
    """When the frames are shown, in seconds, and where each stream of sound lies."""

    frames: list[Fraction]
    sound: list[Span]
    notes: list[str]
    """What was said about it."""


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
    packets: dict[str, list[Fraction]] = {}
    for line in lines.decode().splitlines():
        if line.startswith("#tb"):
            index, unit = line.removeprefix("#tb ").split(":")
            units[index] = Fraction(unit.strip())
        elif not line.startswith("#"):
            index, _, pts, *_ = (part.strip() for part in line.split(","))
            packets.setdefault(index, []).append(int(pts) * units[index])
    spans = [_span(packets[index]) for index in sorted(packets, key=int) if index != "0"]
    return Times(packets["0"], spans, [])


def pass_through(path: Path, target: Path) -> Times:
    """Read the frames of a file and write them, with all that travels beside them; the times of the result."""
    with open_source(path) as source:
        size = (source.info.width, source.info.height)
        with open_sink(target, source.info, size, SinkConfig(overwrite=True, crf=40)) as sink:
            for frame in source:
                sink.write(replace(frame, stored=None))
    return times_of(target)._replace(notes=[*source.notes, *sink.notes])


def times_of(path: Path) -> Times:
    """Times of a file that needs no repair."""
    with av.open(str(path)) as container:
        frames = [f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base]
    packets: dict[int, list[Fraction]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux(*container.streams.audio) if container.streams.audio else ():
            if packet.pts is not None:
                packets.setdefault(packet.stream_index, []).append(packet.pts * packet.time_base)
    return Times(frames, [_span(packets[index]) for index in sorted(packets)], [])


def _span(packets: list[Fraction]) -> Span:
    return Span(min(packets), max(packets))
