"""Times for which no reference is needed: order, lengths, chapters, and what an output refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import read_times
from tests.support.copied_media import copy
from tests.support.media import Media, make, times
from vfe.video.read import Frame, open_source
from vfe.video.times.scale import rescale
from vfe.video.times.sound import Increasing, SampleClock
from vfe.video.write import SinkConfig, open_sink

REORDERED = Media(frames=24, options={"bf": "2", "g": "12", "b-adapt": "0"}, audio="aac")


def frames_of(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def seconds(frames: list[Frame]) -> list[Fraction]:
    return [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]


def without_offsets(path: Path) -> Path:
    """An MP4 whose table of composition offsets is no longer found."""
    path.write_bytes(path.read_bytes().replace(b"ctts", b"free"))
    return path


def with_decoding_times(source: Path, path: Path) -> Path:
    """The packets of a video under the times at which they are decoded."""
    with av.open(str(source)) as taken, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(taken.streams.video[0])
        packets = (p for p in taken.demux(video=0) if p.size)
        for index, packet in enumerate(packets):
            packet.pts = packet.dts = index * 40
            packet.duration, packet.time_base, packet.stream = 40, Fraction(1, 1000), stream
            container.mux(packet)
    return path


@pytest.mark.parametrize("name", ["offsets.mp4", "decoding.mkv", "decoding.mp4"])
def test_reordered_frames_without_times_are_even_and_in_order(tmp_path: Path, name: str) -> None:
    good = make(tmp_path / "good.mp4", REORDERED)
    wanted = frames_of(good)
    odd = tmp_path / name
    if name.startswith("offsets"):
        odd.write_bytes(good.read_bytes())
        without_offsets(odd)
    else:
        with_decoding_times(good, odd)
    found = frames_of(odd)
    assert seconds(found) == [Fraction(index, 25) for index in range(24)]
    for before, after in zip(wanted, found, strict=True):
        assert np.array_equal(before.pixels, after.pixels)


def test_frames_are_shown_until_the_next(tmp_path: Path) -> None:
    pts = (0, 40, 80, 120, 200, 240, 1000, 1040, 1080)
    media = Media(pts=pts, frames=9, time_base=Fraction(1, 1000), options={"bf": "2"})
    path = make(tmp_path / "a.mp4", media)
    copy(path, tmp_path / "b.mp4")
    lengths = [f.duration * f.time_base * 1000 for f in frames_of(tmp_path / "b.mp4") if f.duration and f.time_base]
    assert lengths[:-1] == [b - a for a, b in pairwise(pts)]
    assert lengths[-1] <= 80


def test_chapters_and_subtitles_move_with_the_streams(tmp_path: Path) -> None:
    """A Matroska file that starts late: everything comes to the start together."""
    pts = tuple(5000 + 40 * index for index in range(6))
    path = make(tmp_path / "a.mkv", Media(pts=pts, time_base=Fraction(1, 1000)))
    late = tmp_path / "late.mkv"
    with av.open(str(path)) as taken, av.open(str(late), "w") as container:
        stream = container.add_stream_from_template(taken.streams.video[0])
        container.set_chapters(
            [{"id": 1, "start": 5100, "end": 5200, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        for packet in taken.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    source, _ = copy(late, tmp_path / "b.mkv")
    assert not source.notes
    assert times(tmp_path / "b.mkv")[0] == 0
    with av.open(str(tmp_path / "b.mkv")) as container:
        (chapter,) = container.chapters()
        assert chapter["start"] * (chapter["time_base"] or 0) == Fraction(1, 10)


def test_sound_that_the_output_refuses_ends_no_run(tmp_path: Path) -> None:
    """AAC of a broadcast with damaged headers cannot be put into MP4; the picture can."""
    path = make(tmp_path / "a.ts", Media(frames=50, audio="aac"))
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    for _ in range(3):
        at = data.find(b"\xff\xf1", at + 1)
        data[at + 3 : at + 6] = b"\0\0\0"
    path.write_bytes(bytes(data))
    _, sink = copy(path, tmp_path / "b.mp4")
    assert len(times(tmp_path / "b.mp4")) == 50
    assert any("of audio stream 1 left out" in note for note in sink.notes)


def test_equal_times_of_sound_are_written(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Media(frames=25, audio="aac"))
    doubled = tmp_path / "doubled.mkv"
    with av.open(str(path)) as taken, av.open(str(doubled), "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in taken.streams}
        for index, packet in enumerate(taken.demux()):
            if packet.size:
                if packet.stream.type == "audio" and index % 5 == 0 and packet.pts is not None:
                    packet.pts = packet.dts = packet.pts - 21
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
    _, sink = copy(doubled, tmp_path / "b.mp4")
    sound = times(tmp_path / "b.mp4", "audio")
    assert not sink.notes
    assert all(a < b for a, b in pairwise(sound))
    assert len(sound) == len(times(doubled, "audio"))


def test_dropped_frames_of_an_avi_are_no_damage(tmp_path: Path) -> None:
    """AVI counts the frames that it does not have."""
    pts = tuple(index for index in range(25) if not 10 <= index < 15)
    path = make(tmp_path / "a.avi", Media(codec="mpeg4", frames=20, pts=pts))
    with open_source(path) as source:
        assert [f.pts for f in source] == list(pts)
    assert not source.notes


def test_a_caller_may_have_pauses_that_mp4_has_not(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", Media(frames=3, time_base=Fraction(1, 1_000_000)))
    with open_source(path) as source:
        frames = list(source)
    with open_sink(tmp_path / "b.mp4", source.info, (64, 48), SinkConfig()) as sink:
        for index, frame in enumerate(frames):
            sink.write(replace(frame, pts=index * 3_000_000_000))
    assert read_times(tmp_path / "b.mp4") == [0, 0.04, 0.08]
    assert any("pauses of 6000 s" in n for n in sink.notes)


def test_rescaling_rounds_like_ffmpeg() -> None:
    tick, other = Fraction(1, 90_000), Fraction(1, 1_000_000)
    assert [rescale(t, tick, other) for t in (0, 1, -1, 902, -902)] == [0, 11, -11, 10022, -10022]
    assert [rescale(t, Fraction(1, 2), Fraction(1)) for t in (1, -1, 3)] == [1, -1, 2]  # halves away from zero


def test_milliseconds_of_sound_become_samples() -> None:
    """As long as the milliseconds fit, packets follow each other; a real gap is kept."""
    clock, millisecond, sample = SampleClock(48_000), Fraction(1, 1000), Fraction(1, 48_000)
    rough = [round(1024 * index / 48) for index in range(20)]
    assert [clock.exact(when, millisecond, 1024, sample) for when in rough] == [1024 * index for index in range(20)]
    assert clock.exact(2000, millisecond, 1024, sample) == 96_000


def test_decoding_times_rise() -> None:
    strict, equal = Increasing(1), Increasing(0)
    assert [strict.mended(t, t) for t in (0, 5, 5, 3, 9)] == [(0, 0), (5, 5), (6, 6), (7, 7), (9, 9)]
    assert [equal.mended(t, t) for t in (0, 5, 5, 3)] == [(0, 0), (5, 5), (5, 5), (5, 5)]
