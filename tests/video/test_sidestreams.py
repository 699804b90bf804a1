"""Sound, subtitles, chapters and metadata travel with the video, in step with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.copied_media import copy
from tests.support.media import Media, make, times
from vfe.video.probe import probe


def packets(path: Path, kind: str) -> list[tuple[float | None, bytes]]:
    with av.open(str(path)) as container:
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(**{kind: 0}) if p.pts is not None]


@pytest.mark.parametrize(
    ("name", "media", "suffix"),
    [
        ("a.mp4", Media(audio="aac"), ".mp4"),
        ("a.mp4", Media(audio="aac"), ".mov"),
        ("a.mp4", Media(audio="aac"), ".mkv"),
        ("a.webm", Media(codec="libvpx-vp9", audio="libopus"), ".mp4"),
        ("a.webm", Media(codec="libvpx-vp9", audio="libopus"), ".mkv"),
        ("a.mkv", Media(audio="flac"), ".mp4"),
        ("a.mkv", Media(audio="ac3"), ".mov"),
        ("a.avi", Media(codec="mpeg4", audio="pcm_s16le"), ".mkv"),
        ("a.avi", Media(codec="mpeg4", audio="pcm_s16le"), ".mov"),
        ("a.avi", Media(codec="mpeg4", audio="libmp3lame"), ".mp4"),
    ],
)
def test_sound_is_copied_bit_for_bit(tmp_path: Path, name: str, media: Media, suffix: str) -> None:
    source = make(tmp_path / name, media)
    _, sink = copy(source, tmp_path / f"b{suffix}")
    before, after = packets(source, "audio"), packets(tmp_path / f"b{suffix}", "audio")
    assert not sink.notes
    assert b"".join(data for _, data in before) == b"".join(data for _, data in after)
    assert after[0][0] == pytest.approx(before[0][0], abs=0.0011)


@pytest.mark.parametrize(
    ("name", "media", "suffix"),
    [
        ("a.avi", Media(codec="mpeg4", audio="pcm_s16le", frames=25), ".mp4"),
        ("a.webm", Media(codec="libvpx-vp9", audio="libopus", frames=25), ".mov"),
        ("a.mpg", Media(codec="mpeg1video", audio="mp2", frames=25), ".mp4"),
    ],
)
def test_sound_that_does_not_fit_becomes_aac(tmp_path: Path, name: str, media: Media, suffix: str) -> None:
    source = make(tmp_path / name, media)
    _, sink = copy(source, tmp_path / f"b{suffix}")
    assert any("re-encoded as AAC" in note for note in sink.notes)
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert stream.layout.nb_channels == 2
        frames = [f.to_ndarray() for f in container.decode(audio=0)]
    wave = np.concatenate(frames, axis=1)[0]
    assert wave.shape[0] == pytest.approx(48000, rel=0.05)
    assert 0.15 < np.abs(wave[4800:40000]).max() < 0.35  # the tone of 8000 / 32768


@pytest.mark.parametrize("delay", [0.0, 0.08])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_stays_in_step(tmp_path: Path, delay: float, suffix: str) -> None:
    media = Media(frames=50, audio="aac", audio_delay=delay, options={"bf": "3"})
    source = make(tmp_path / "a.mp4", media)
    copy(source, tmp_path / f"b{suffix}")
    for kind in ("video", "audio"):
        before, after = times(source, kind), times(tmp_path / f"b{suffix}", kind)
        assert len(before) == len(after)
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= Fraction(1, 1000)


def test_broadcast_streams_are_moved_together(tmp_path: Path) -> None:
    source = make(tmp_path / "a.ts", Media(frames=25, audio="aac", audio_delay=0.1))
    copy(source, tmp_path / "b.mp4")
    lag = [times(p, "audio")[0] - times(p)[0] for p in (source, tmp_path / "b.mp4")]
    assert abs(lag[0] - lag[1]) < Fraction(1, 1000)


def test_streams_are_interleaved(tmp_path: Path) -> None:
    """Players and memory need sound beside the frames that it belongs to."""
    source = make(tmp_path / "a.mp4", Media(frames=100, audio="aac"))
    copy(source, tmp_path / "b.mkv")
    last, worst = {"audio": 0.0, "video": 0.0}, 0.0
    with av.open(str(tmp_path / "b.mkv")) as container:
        for packet in container.demux():
            if packet.dts is not None:
                last[packet.stream.type] = float(packet.dts * packet.time_base)
                worst = max(worst, abs(last["audio"] - last["video"]))
    assert worst < 0.5


@pytest.mark.parametrize(
    ("name", "codec", "suffix", "result"),
    [
        ("a.mkv", "subrip", ".mkv", "subrip"),
        ("a.mkv", "ass", ".mkv", "ass"),
        ("a.mkv", "subrip", ".mp4", "mov_text"),
        ("a.mkv", "ass", ".mov", "mov_text"),
        ("a.mp4", "mov_text", ".mp4", "mov_text"),
        ("a.mp4", "mov_text", ".mkv", "subrip"),
    ],
)
def test_subtitles(tmp_path: Path, name: str, codec: str, suffix: str, result: str) -> None:
    source = make(tmp_path / name, Media(subtitles=codec))
    copy(source, tmp_path / f"b{suffix}")
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        stream = container.streams.subtitles[0]
        assert stream.codec_context.codec.canonical_name == result
        assert stream.language == "eng"
        lines = []
        for packet in container.demux(stream):
            if packet.pts is not None and (shown := stream.codec_context.decode2(packet)):
                text = b"".join(rect.ass for rect in shown.rects).decode()
                if "Hello" in text or "Second" in text:
                    length = (packet.duration or 0) * packet.time_base
                    lines.append((packet.pts * packet.time_base, round(length, 3)))
    assert lines == [(Fraction(4, 100), Fraction(6, 100)), (Fraction(12, 100), Fraction(6, 100))]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_chapters_and_metadata(tmp_path: Path, suffix: str) -> None:
    media = Media(chapters=True, metadata={"title": "The title", "artist": "Somebody", "comment": "ä ö"})
    source = make(tmp_path / "a.mkv", media)
    copy(source, tmp_path / f"b{suffix}")
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        found = {k.lower(): v for k, v in container.metadata.items()}
        assert {k: found.get(k) for k in media.metadata} == media.metadata
        chapters = container.chapters()
    starts = [c["start"] * (c["time_base"] or 0) for c in chapters]
    assert starts == [0, Fraction(1, 10)]
    assert [c["metadata"]["title"] for c in chapters] == ["part 0", "part 1"]


def test_sound_of_a_truncated_file_ends_with_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Media(frames=100, audio="aac", size=(128, 96)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source, _ = copy(path, tmp_path / "b.mp4")
    assert source.notes
    assert probe(tmp_path / "b.mp4").audio


def without_durations(source: Path, target: Path) -> Path:
    """A copy of a file whose packets of sound and text do not say how long they last."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.size:
                packet.duration = packet.duration if packet.stream.type == "video" else 0
                packet.stream = streams[packet.stream_index]
                written.mux(packet)
    return target


def spans(path: Path, kind: str) -> list[tuple[float, float]]:
    """When the packets of a stream begin and end, in seconds."""
    with av.open(str(path)) as container:
        found = [p for p in container.demux(**{kind: 0}) if p.size and p.pts is not None]
        return [(float(p.pts * p.time_base), float((p.pts + (p.duration or 0)) * p.time_base)) for p in found]


@pytest.mark.parametrize(("codec", "container"), [("flac", "nut"), ("libopus", "nut"), ("flac", "avi")])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_without_durations_is_as_long_as_its_samples(
    tmp_path: Path, codec: str, container: str, suffix: str
) -> None:
    source = make(tmp_path / f"a.{container}", Media(codec="mpeg4", audio=codec, frames=30))
    copy(source, tmp_path / f"b{suffix}")
    with av.open(str(source)) as read:
        samples = sum(frame.samples for p in read.demux(audio=0) if p.size for frame in p.decode())
    start, end = spans(tmp_path / f"b{suffix}", "audio")[0][0], spans(tmp_path / f"b{suffix}", "audio")[-1][1]
    assert end - start == pytest.approx(samples / 48000, abs=0.0011)


def test_a_line_without_a_duration_is_shown_until_the_next(tmp_path: Path) -> None:
    timed = make(tmp_path / "a.mkv", Media(frames=60, subtitles="subrip"))
    source = without_durations(timed, tmp_path / "b.mkv")
    starts = [start for start, _ in spans(source, "subtitles")]
    assert spans(source, "subtitles") == [(start, start) for start in starts]
    copy(source, tmp_path / "c.mp4")
    shown = [span for span, (_, data) in zip(*_texts(tmp_path / "c.mp4"), strict=True) if len(data) > 2]
    ends = [*starts[1:], 60 / 25]
    assert shown == [pytest.approx(span, abs=0.0011) for span in zip(starts, ends, strict=True)]


def test_a_line_without_a_duration_stays_so_where_it_can(tmp_path: Path) -> None:
    source = without_durations(make(tmp_path / "a.mkv", Media(subtitles="subrip")), tmp_path / "b.mkv")
    copy(source, tmp_path / "c.mkv")
    assert spans(tmp_path / "c.mkv", "subtitles") == spans(source, "subtitles")


def _texts(path: Path) -> tuple[list[tuple[float, float]], list[tuple[float | None, bytes]]]:
    return spans(path, "subtitles"), packets(path, "subtitles")


def test_a_damaged_packet_of_sound_is_said(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Media(audio="flac", frames=25))
    with av.open(str(source)) as read, av.open(str(tmp_path / "b.mkv"), "w") as written:
        streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for number, packet in enumerate(packet for packet in read.demux() if packet.size):
            copied = packet
            if packet.stream.type == "audio" and number > 10:
                copied = av.Packet(b"\xff" * 40)
                copied.pts, copied.dts, copied.duration = packet.pts, packet.dts, packet.duration
                copied.time_base = packet.time_base
            copied.stream = streams[packet.stream_index]
            written.mux(copied)
    _, sink = copy(tmp_path / "b.mkv", tmp_path / "c.mov")
    assert [note for note in sink.notes if "of audio stream 1 left out: Invalid data" in note]
    assert times(tmp_path / "c.mov", "audio")
