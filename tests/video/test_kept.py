"""What a file says about itself: phones' keys, timecodes, titles and languages, HDR10; kept, or said to be left out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.support.copied_media import copy
from tests.support.described_media import DEEP, HDR, PHONE_KEYS, TIMECODE, hdr_clip, metadata_of, tagged
from tests.support.media import Media, make
from tests.support.paths import ROOT
from vfe.video.probe import probe
from vfe.video.write import SinkConfig


@pytest.mark.parametrize("written", [".mp4", ".m4v", ".mov", ".mkv"])
@pytest.mark.parametrize("source", [".mov", ".mp4", ".mkv"])
def test_keys_of_phones(tmp_path: Path, source: str, written: str) -> None:
    path = tagged(
        tmp_path / f"a{source}", {**PHONE_KEYS, "title": "Holiday", "creation_time": "2022-11-09T17:36:38Z"}, {}
    )
    _, sink = copy(path, tmp_path / f"b{written}")
    found, _ = metadata_of(tmp_path / f"b{written}")
    assert not sink.notes
    assert {key: found.get(key.lower()) for key in PHONE_KEYS} == PHONE_KEYS
    assert found["title"] == "Holiday"
    assert found["creation_time"].startswith("2022-11-09T17:36:38")


def test_titles_that_all_players_read(tmp_path: Path) -> None:
    """Without keys of phones, MP4 gets the atoms that are read everywhere."""
    copy(make(tmp_path / "a.mp4", Media(metadata={"title": "Holiday"})), tmp_path / "b.mp4")
    assert b"\xa9nam" in (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("written", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("source", [".mov", ".mp4", ".mkv"])
def test_start_timecodes(tmp_path: Path, source: str, written: str) -> None:
    path = tagged(tmp_path / f"a{source}", {}, {"timecode": TIMECODE})
    _, sink = copy(path, tmp_path / f"b{written}")
    assert not sink.notes
    assert metadata_of(tmp_path / f"b{written}")[1]["timecode"] == TIMECODE


def test_timecode_of_a_whole_file(tmp_path: Path) -> None:
    """MXF and DV say it of the file."""
    media = Media(codec="mpeg2video", size=(720, 576), metadata={"timecode": TIMECODE})
    copy(make(tmp_path / "a.mxf", media), tmp_path / "b.mov")
    assert metadata_of(tmp_path / "b.mov")[1]["timecode"] == TIMECODE


def test_a_timecode_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.mkv", {}, {"timecode": "no timecode"})
    _, sink = copy(path, tmp_path / "b.mov")
    assert sink.notes == ["the start timecode no timecode is left out: this kind of file holds none at 25.000 frames/s"]


@pytest.mark.parametrize("written", [".mp4", ".mov", ".mkv"])
def test_title_and_language_of_the_restored_track(tmp_path: Path, written: str) -> None:
    path = tagged(tmp_path / "a.mkv", {}, {"title": "Main view", "language": "ger"})
    copy(path, tmp_path / f"b{written}")
    found = metadata_of(tmp_path / f"b{written}")[1]
    assert found.get("title", found.get("name")) == "Main view"
    assert found["language"] == "ger"


@pytest.mark.parametrize(
    ("code", "other"), [("deu", "ger"), ("fre", "fra"), ("zho", "chi"), ("jpn", "jpn"), ("hrv", "hr ")]
)
def test_languages_with_two_codes(tmp_path: Path, code: str, other: str) -> None:
    """QuickTime's table has one of them."""
    _, sink = copy(tagged(tmp_path / "a.mkv", {}, {"language": code}), tmp_path / "b.mov")
    assert not sink.notes
    assert metadata_of(tmp_path / "b.mov")[1]["language"] == other


@pytest.mark.parametrize("written", [".mp4", ".mkv"])
@pytest.mark.parametrize("code", ["hrv", "srp", "fao", "pan", "gle", "swe"])
def test_languages_come_back_out_of_a_mov(tmp_path: Path, code: str, written: str) -> None:
    copy(tagged(tmp_path / "a.mkv", {}, {"language": code}), tmp_path / "b.mov")
    _, sink = copy(tmp_path / "b.mov", tmp_path / f"c{written}")
    assert not sink.notes
    assert metadata_of(tmp_path / f"c{written}")[1]["language"] == code


@pytest.mark.parametrize(("written", "code"), [(".mov", "glg"), (".mov", "nno"), (".mp4", "pt-BR"), (".mov", "en")])
def test_a_language_that_a_file_cannot_hold_is_said(tmp_path: Path, written: str, code: str) -> None:
    _, sink = copy(tagged(tmp_path / "a.mkv", {}, {"language": code}), tmp_path / f"b{written}")
    assert sink.notes == [f"the language {code!r} of the video is left out: this kind of file has no code for it"]
    assert metadata_of(tmp_path / f"b{written}")[1].get("language", "und") == "und"


def test_the_language_of_sound_and_text_is_said_too(tmp_path: Path) -> None:
    with av.open(str(make(tmp_path / "a.mkv", Media(audio="aac", subtitles="subrip")))) as read:
        with av.open(str(tmp_path / "b.mkv"), "w") as written:
            streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
            for stream in streams.values():
                stream.metadata["language"] = "glg"
            for packet in read.demux():
                if packet.size:
                    packet.stream = streams[packet.stream_index]
                    written.mux(packet)
    _, sink = copy(tmp_path / "b.mkv", tmp_path / "c.mov")
    assert [note.split(" is left out")[0] for note in sink.notes] == [
        f"the language 'glg' of {name}" for name in ("the video", "audio stream 1", "subtitle stream 2")
    ]


def test_what_the_source_says_of_its_own_bytes_goes(tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.mkv", {}, {"BPS": "1234", "NUMBER_OF_FRAMES": "4", "_STATISTICS_TAGS": "BPS"})
    copy(path, tmp_path / "b.mkv")
    assert not metadata_of(tmp_path / "b.mkv")[1].keys() & {"bps", "number_of_frames", "_statistics_tags"}


# --- HDR10 and depth ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [None, "h264", "h265"])
@pytest.mark.parametrize("written", [".mp4", ".mkv"])
def test_hdr10_is_kept(tmp_path: Path, written: str, codec: str | None) -> None:
    source = hdr_clip(tmp_path / "a.mkv")
    assert probe(source).hdr == HDR
    _, sink = copy(source, tmp_path / f"b{written}", SinkConfig(codec=codec))  # type: ignore[arg-type]
    found = probe(tmp_path / f"b{written}")
    assert not sink.notes
    assert found.hdr == HDR
    assert (found.color_primaries, found.color_transfer, found.color_space) == (9, 16, 9)


@pytest.mark.parametrize(("codec", "suffix"), [("ffv1", ".mkv"), ("prores", ".mov")])
def test_hdr10_that_a_codec_does_not_hold_is_noted(tmp_path: Path, codec: str, suffix: str) -> None:
    _, sink = copy(hdr_clip(tmp_path / "a.mkv"), tmp_path / f"b{suffix}", SinkConfig(codec=codec))  # type: ignore[arg-type]
    note = f"mastering display and light levels are left out: {codec} holds none; write H.265 or H.264"
    assert sink.notes == [note]


@pytest.mark.parametrize(("suffix", "tag"), [(".mp4", "hvc1"), (".mov", "hvc1"), (".mkv", None)])
def test_deep_h265_stays_h265(tmp_path: Path, suffix: str, tag: str | None) -> None:
    copy(make(tmp_path / "a.mkv", replace(DEEP, frames=2)), tmp_path / f"b{suffix}")
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("hevc", "Main 10", "yuv420p10le")
        assert tag is None or context.codec_tag == tag
    copy(tmp_path / f"b{suffix}", tmp_path / f"c{suffix}", SinkConfig(codec="h264"))
    assert probe(tmp_path / f"c{suffix}").codec == "h264"


def test_what_else_is_written_is_h264(tmp_path: Path) -> None:
    for name, media in {"flat": Media(codec="libx265"), "deep": Media(pix_fmt="yuv420p10le")}.items():
        copy(make(tmp_path / f"{name}.mkv", replace(media, frames=2)), tmp_path / f"{name}.mp4")
        assert probe(tmp_path / f"{name}.mp4").codec == "h264"


def test_hlg_is_kept(tmp_path: Path) -> None:
    copy(make(tmp_path / "a.mkv", replace(DEEP, frames=2, color_transfer=18)), tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").color_transfer == 18


def test_probing_a_file_with_hdr10_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Side data of frames is asked for: if that ended the process, it would be another one."""
    source = hdr_clip(tmp_path / "a.mkv")
    code = "import sys; from vfe.video.probe import probe; print(probe(sys.argv[1]).hdr.light)"
    run = subprocess.run(
        [sys.executable, "-c", code, str(source)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "1000" in run.stdout
