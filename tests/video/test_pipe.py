"""Y4M through standard input and output, against the ffmpeg program and against files."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.support.clips import Clip, write_clip, write_image
from tests.support.media import Media, make
from tests.support.pipes import PATTERN, UNTOUCHED, ffmpeg, needs_ffmpeg, pattern, pipe_through
from vfe.types import VFEError

EIGHT_BITS = ["yuv420p", "yuv411p", "yuva444p", "gray"]
DEEP = ["yuv420p10le", "yuv422p12le", "yuv420p14le", "yuv444p16le", "gray10le"]
FACTS = "stream=width,height,sample_aspect_ratio,r_frame_rate,nb_read_frames,chroma_location,pix_fmt"


def flat(header: str, frames: int = 3, size: int = 64 * 48 * 3 // 2) -> bytes:
    """A stream of 64x48 under a header of one's own."""
    return b"YUV4MPEG2 W64 H48 " + header.encode() + b"\n" + (b"FRAME\n" + bytes(range(128)) * (size // 128)) * frames


def facts(path: Path) -> dict[str, str]:
    """What ffprobe says of a video."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", FACTS, "-of", "json", str(path)]
    streams: list[dict[str, str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[
        "streams"
    ]
    return streams[0]


def frames_of(path: str | Path, y4m: bytes = b"") -> bytes:
    """The checksums of the decoded frames."""
    lines = ffmpeg("-i", path, "-strict", "-1", "-f", "framemd5", "-", stdin=y4m).splitlines()
    return b"\n".join(line.rpartition(b",")[2] for line in lines if not line.startswith(b"#"))


@needs_ffmpeg
@pytest.mark.parametrize("pix_fmt", [*EIGHT_BITS, *DEEP])
def test_what_goes_in_comes_out_as_through_a_file(pix_fmt: str, tmp_path: Path) -> None:
    given = pattern(pix_fmt)
    (tmp_path / "in.y4m").write_bytes(given)
    piped = pipe_through(tmp_path, given)
    assert piped.report.frames == 3
    assert piped.y4m == pipe_through(tmp_path, tmp_path / "in.y4m").y4m
    expected = given.partition(b"\n")[0].decode().split()
    assert [word for word in piped.header if word != "XCOLORRANGE=LIMITED"] == [
        word for word in expected if word != "XCOLORRANGE=LIMITED"
    ]
    assert len(piped.y4m.partition(b"\n")[2]) == len(given.partition(b"\n")[2])
    lossless = replace(UNTOUCHED, codec="ffv1")
    to_file = pipe_through(tmp_path, given, tmp_path / "out.mkv", lossless)
    assert to_file.y4m == b""
    if pix_fmt not in ("yuv411p", "yuva444p", "yuv420p14le"):  # others are in FFV1 as they are
        assert frames_of("-", piped.y4m) == frames_of(tmp_path / "out.mkv")


@needs_ffmpeg
@pytest.mark.parametrize("size", ["35x27", "2x2"])
def test_odd_sizes(size: str, tmp_path: Path) -> None:
    given = ffmpeg(
        "-f", "rawvideo", "-s", size, "-pix_fmt", "yuv420p", "-i", "-", "-f", "yuv4mpegpipe", "-", stdin=bytes(9000)
    )
    piped = pipe_through(tmp_path, given)
    assert piped.header[1:3] == [f"{side}{n}" for side, n in zip("WH", size.split("x"), strict=True)]
    assert len(piped.y4m.partition(b"\n")[2]) == len(given.partition(b"\n")[2])


@needs_ffmpeg
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p16le"])
def test_deep_frames_of_odd_width(pix_fmt: str, frames: int, tmp_path: Path) -> None:
    """The ffmpeg program cuts their rows of chroma; what we write it reads."""
    odd = ("-vf", f"scale=35:27,format={pix_fmt}")
    ffmpeg(*PATTERN[:-1], str(frames), *odd, "-c:v", "ffv1", tmp_path / "odd.mkv")
    piped = pipe_through(tmp_path, tmp_path / "odd.mkv")
    assert len(frames_of("-", piped.y4m).splitlines()) == frames
    assert pipe_through(tmp_path, piped.y4m).report.frames == frames
    whole = ffmpeg("-i", tmp_path / "odd.mkv", "-pix_fmt", "yuv444p16le", "-strict", "-1", "-f", "yuv4mpegpipe", "-")
    assert pipe_through(tmp_path, whole).report.frames == frames
    theirs = ffmpeg("-i", tmp_path / "odd.mkv", "-strict", "-1", "-f", "yuv4mpegpipe", "-")
    if len(theirs.partition(b"\n")[2]) < len(piped.y4m.partition(b"\n")[2]):  # as FFmpeg 5.1 does
        with pytest.raises(VFEError, match="give it -pix_fmt yuv444p16le before"):
            pipe_through(tmp_path, theirs)


@needs_ffmpeg
@pytest.mark.parametrize("header", ["F30000:1001 Ip A16:15 C420mpeg2", "F25:1 A1:1 C420jpeg", "F24:1 A2:1 C420paldv"])
def test_facts_of_a_header_reach_a_file(header: str, tmp_path: Path) -> None:
    pipe_through(tmp_path, flat(header), tmp_path / "ours.mp4")
    ffmpeg("-i", "-", "-c:v", "libx264", tmp_path / "theirs.mp4", stdin=flat(header))
    assert facts(tmp_path / "ours.mp4") == facts(tmp_path / "theirs.mp4")


@pytest.mark.parametrize("location", ["420mpeg2", "420jpeg", "420paldv"])
@pytest.mark.parametrize("colours", ["FULL", "LIMITED"])
def test_facts_of_a_header_reach_the_next_pipe(location: str, colours: str, tmp_path: Path) -> None:
    words = f"F30000:1001 Ip A16:15 C{location}"
    piped = pipe_through(tmp_path, flat(f"{words} XCOLORRANGE={colours}"))
    tags = f"XYSCSS={location.upper()} XCOLORRANGE={colours}"
    assert piped.header == f"YUV4MPEG2 W64 H48 {words} {tags}".split()


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("a.mp4", Clip(frames=3)),
        ("b.mkv", Clip(frames=3, codec="ffv1", pix_fmt="yuv422p10le")),
        ("a.avi", Clip(frames=3, codec="mpeg4")),
    ],
)
def test_files_are_written_under_the_header_of_ffmpeg(name: str, clip: Clip, tmp_path: Path) -> None:
    path = write_clip(tmp_path / name, clip)
    piped = pipe_through(tmp_path, path)
    theirs = ffmpeg("-i", path, "-strict", "-1", "-f", "yuv4mpegpipe", "-")
    expected = theirs.partition(b"\n")[0].replace(b"A0:0", b"A1:1").decode().split()
    assert [w for w in piped.header if w[0] != "X"] == [w for w in expected if w[0] != "X"]
    assert len(piped.y4m.partition(b"\n")[2]) == len(theirs.partition(b"\n")[2])


@needs_ffmpeg
@pytest.mark.parametrize("order", ["It", "Ib", "Ip", "I?"])
def test_interlaced_says_so_as_through_ffmpeg(order: str, tmp_path: Path) -> None:
    given = flat(f"F25:1 {order} A1:1 C420mpeg2")
    piped = pipe_through(tmp_path, given)
    assert piped.header[4] == ffmpeg("-i", "-", "-f", "yuv4mpegpipe", "-", stdin=given).split()[4].decode()
    woven = ("3 of 3 frames are interlaced; they are written as they are",)
    assert piped.report.notes == (woven if order in ("It", "Ib") else ())


@pytest.mark.parametrize("scaled", [True, False])
def test_interlaced_that_is_marked_as_progressive(scaled: bool, tmp_path: Path) -> None:
    """Scaling mixes the rows of both fields; files are marked so, as they are where they come from files."""
    options = replace(UNTOUCHED, scale=0.5) if scaled else replace(UNTOUCHED, codec="ffv1")
    place = Path("-") if scaled else tmp_path / "out.mkv"
    piped = pipe_through(tmp_path, flat("F25:1 It A1:1 C420mpeg2"), place, options)
    assert not scaled or piped.header[4] == "Ip"
    assert sum("interlaced" in note for note in piped.report.notes) == 2
    assert "interlaced frames are marked as progressive" in piped.report.notes


def test_what_a_file_has_beside_its_picture_is_named(tmp_path: Path) -> None:
    assert pipe_through(tmp_path, make(tmp_path / "bare.mp4")).report.notes == ()
    titled = make(tmp_path / "titled.mkv", Media(audio="aac", metadata={"title": "A film"}))
    (note,) = pipe_through(tmp_path, titled).report.notes
    assert note == "left out, for Y4M holds pictures alone: sound and metadata"


@pytest.mark.skipif(int(av.__version__.split(".")[0]) < 17, reason="the file is made with what PyAV has since 17.1")
def test_text_and_chapters_are_named_too(tmp_path: Path) -> None:
    told = make(tmp_path / "told.mkv", Media(audio="aac", subtitles="ass", chapters=True))
    (note,) = pipe_through(tmp_path, told).report.notes
    assert note == "left out, for Y4M holds pictures alone: sound, subtitles and chapters"


def test_what_y4m_cannot_hold_is_said(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "film.mp4", Clip(audio=True, pts=(0, 40, 300, 900, 940, 980)))
    notes = " ".join(pipe_through(tmp_path, film, options=replace(UNTOUCHED, crf=20)).report.notes)
    for words in ("crf has no meaning for Y4M", "pictures alone: sound", "frame times of the source vary"):
        assert words in notes
    transparent = write_image(tmp_path / "a.png", pix_fmt="rgba64be")
    piped = pipe_through(tmp_path, transparent)
    assert any("alpha is dropped" in note for note in piped.report.notes)
    assert piped.header[6] == "C444p16"
    wide = pipe_through(tmp_path, flat("F25:1 A1:1 C420mpeg2"), options=replace(UNTOUCHED, size=(1280, 720)))
    assert wide.report.notes == ("Y4M does not say how colours are coded: give ffmpeg -colorspace 6 before -i -",)
    with pytest.raises(VFEError, match="carries Y4M, no h264; leave the codec out"):
        pipe_through(tmp_path, film, options=replace(UNTOUCHED, codec="h264"))


@needs_ffmpeg
def test_ffmpeg_takes_the_colours_that_the_note_names(tmp_path: Path) -> None:
    colours = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084")
    (tmp_path / "in.y4m").write_bytes(flat("F25:1 A1:1 C420mpeg2"))
    ffmpeg("-i", tmp_path / "in.y4m", *colours, tmp_path / "wide.mp4")
    piped = pipe_through(tmp_path, tmp_path / "wide.mp4")
    (note,) = piped.report.notes
    options = note.removeprefix("Y4M does not say how colours are coded: give ffmpeg ").split(" before ")[0].split()
    assert options == ["-colorspace", "9", "-color_primaries", "9", "-color_trc", "16"]
    ffmpeg(*options, "-i", "-", tmp_path / "again.mp4", stdin=piped.y4m)
    for name in ("wide.mp4", "again.mp4"):
        command = ["ffprobe", "-v", "error", "-show_entries", "stream=color_space,color_transfer", "-of", "csv=p=0"]
        assert (
            subprocess.run([*command, tmp_path / name], capture_output=True, check=True).stdout
            == b"bt2020nc,smpte2084\n"
        )


@needs_ffmpeg
def test_compare_beside_pipes(tmp_path: Path) -> None:
    options = replace(UNTOUCHED, compare=tmp_path / "both.mkv")
    assert len(pipe_through(tmp_path, flat("F25:1"), options=options).y4m) > 3 * 64 * 48
    assert facts(tmp_path / "both.mkv")["nb_read_frames"] == "3"
    with pytest.raises(VFEError, match="a pipe cannot stand here"):
        pipe_through(tmp_path, flat("F25:1"), tmp_path / "b.mkv", replace(UNTOUCHED, compare=Path("-")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "standard input: is empty; needed is Y4M"),
        (b"\x00\x00\x00\x20ftypisom", "standard input: is no Y4M; needed is Y4M"),
        (b"YUV4MPEG2 W64 H48", "broken Y4M header (its first line has no end)"),
        (b"YUV4MPEG2 W64 H48 " + b"x" * 2000, "broken Y4M header (its first line has no end)"),
        (b"YUV4MPEG2 F25:1\n", "broken Y4M header"),
        (b"YUV4MPEG2 W0 H48\n", "broken Y4M header"),
        (b"YUV4MPEG2 W-4 H48\n", "broken Y4M header"),
        (b"YUV4MPEG2 W999999999 H999999999\n", "broken Y4M header"),
        (b"YUV4MPEG2 W64 H48 C999zz\n", "broken Y4M header"),
        (b"YUV4MPEG2 W64 H48 F0:0\n", "standard input: has no frame, only a header"),
        (b"YUV4MPEG2 W64 H48\nFRAME\nabc", "standard input: has no frame, its last frame is cut short"),
        (b"YUV4MPEG2 W64 H48\nFRA", "standard input: has no frame, it is cut short"),
        (b"YUV4MPEG2 W64 H48\nGARBAGE\n" + bytes(9000), "standard input: has no frame, something else than a frame"),
    ],
)
def test_bad_input_is_one_line(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(VFEError) as caught:
        pipe_through(tmp_path, data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", [1, 4000, 64 * 48 * 3 // 2, 64 * 48 * 3 // 2 + 3])
def test_a_cut_stream_is_restored_as_far_as_it_goes(missing: int, tmp_path: Path) -> None:
    whole = flat("F25:1 Ip A1:1 C420mpeg2")
    cut = pipe_through(tmp_path, whole[:-missing])
    assert cut.report.frames == 2
    assert cut.report.notes[0].startswith("standard input is damaged or cut short: 2 frames were read, then it")
    assert cut.y4m == pipe_through(tmp_path, flat("F25:1 Ip A1:1 C420mpeg2", frames=2)).y4m


def test_parameters_of_frames_are_skipped(tmp_path: Path) -> None:
    plain = flat("F25:1 Ip A1:1 C420mpeg2")
    told = pipe_through(tmp_path, plain.replace(b"FRAME\n", b"FRAME Ip XNOTE\n"))
    assert told.y4m == pipe_through(tmp_path, plain).y4m
    assert told.report.notes == ()


def test_no_file_is_left_of_a_broken_stream(tmp_path: Path) -> None:
    with pytest.raises(VFEError, match="has no frame"):
        pipe_through(tmp_path, b"YUV4MPEG2 W64 H48\n", tmp_path / "a.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"stdin", "stdout"}
