"""Reading from the middle of a source: always the frames of a reading from the start, and mostly without it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from tests.support.captured_frames import assert_same_frames
from tests.support.clips import write_image
from tests.support.media import Media, make
from vfe.restore.region import WHOLE_FRAMES
from vfe.restore.survey import take_survey
from vfe.types import VFEError
from vfe.video import read, seek
from vfe.video.decode import decode_frames
from vfe.video.frame_table import FrameTable
from vfe.video.photo.file import Photo, read_photo
from vfe.video.read import Frame, open_source

FRAMES = 60
B_FRAMES = {"g": "12", "bf": "3", "x264-params": "scenecut=0"}
H264 = Media(frames=FRAMES, options=B_FRAMES)


class Decoded:
    """How many frames came out of decoders."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames = 0

        def counted(*given: object) -> Iterator[VideoFrame]:
            for frame in decode_frames(*given):  # type: ignore[arg-type]
                self.frames += 1
                yield frame

        for module in (read, seek):
            monkeypatch.setattr(module, "decode_frames", counted)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    return Decoded(monkeypatch)


def table_of(path: Path) -> FrameTable:
    with open_source(path) as source:
        return take_survey(source, lambda _: WHOLE_FRAMES).frames


def frames_from(path: Path, first: int, table: FrameTable) -> list[Frame]:
    with open_source(path) as source:
        return list(source.frames_from(first, table))


def assert_reads_from_anywhere(path: Path, step: int = 7) -> FrameTable:
    table = table_of(path)
    with open_source(path) as source:
        whole = list(source)
    assert len(whole) == len(table)
    for first in range(0, len(whole), step):
        assert_same_frames(frames_from(path, first, table), whole[first:])
    return table


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("closed.mp4", H264),
        ("open.mp4", Media(frames=FRAMES, options=B_FRAMES | {"x264-params": "open-gop=1:scenecut=0"})),
        ("refresh.mkv", Media(frames=FRAMES, options={"x264-params": "intra-refresh=1:keyint=12"})),
        ("endless.mkv", Media(frames=FRAMES, options={"g": "1000"})),
        ("late.mkv", Media(frames=FRAMES, options=B_FRAMES, pts=tuple(range(1000, 1000 + FRAMES)))),
        ("sound.mkv", Media(frames=FRAMES, options=B_FRAMES, audio="aac", audio_delay=0.3)),
        ("wmv.avi", Media(frames=FRAMES, codec="mpeg4", options={"g": "12", "bf": "2"})),
        ("h264.avi", H264),
        ("tape.ts", Media(frames=FRAMES, codec="mpeg2video", options={"g": "12", "bf": "2"})),
        ("h264.ts", H264),
        ("disc.mpg", Media(frames=FRAMES, codec="mpeg2video", options={"g": "12", "bf": "2"})),
        ("raw.h264", H264),
        ("lossless.mkv", Media(frames=FRAMES, codec="ffv1", pix_fmt="yuva420p")),
        ("vp9.webm", Media(frames=24, codec="libvpx-vp9", options={"deadline": "realtime", "g": "8"})),
        ("moving.gif", Media(frames=24, codec="gif", pix_fmt="rgb8", rate=Fraction(10))),
        ("moving.apng", Media(frames=24, codec="apng", pix_fmt="rgba")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_frames_are_those_of_a_reading_from_the_start(name: str, media: Media, tmp_path: Path) -> None:
    assert_reads_from_anywhere(make(tmp_path / name, media))


def test_variable_rates_and_jumps_of_time(tmp_path: Path) -> None:
    pts = [0]
    for index in range(1, FRAMES):
        pts.append(pts[-1] + (20_000_000 if index == 25 else 30 + 11 * (index % 4)))
    media = Media(frames=FRAMES, options=B_FRAMES, pts=tuple(pts), time_base=Fraction(1, 1000))
    table = assert_reads_from_anywhere(make(tmp_path / "jump.mkv", media))
    assert table.pts == tuple(pts)


def test_joined_broadcasts(tmp_path: Path) -> None:
    """Whose times start anew in the middle, and are mended."""
    late = Media(frames=FRAMES, options=B_FRAMES, pts=tuple(range(5000, 5000 + FRAMES)))
    parts = [make(tmp_path / "a.ts", late), make(tmp_path / "b.ts", H264)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(assert_reads_from_anywhere(joined, 13)) >= 2 * FRAMES - 2


def damaged(path: Path) -> Path:
    data = bytearray(make(path, Media(frames=FRAMES, size=(128, 96), options=B_FRAMES)).read_bytes())
    for at in range(len(data) // 3, len(data) * 2 // 3, 97):
        data[at] ^= 0x5A
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["damaged.ts", "damaged.mkv"])
def test_damaged_files(name: str, tmp_path: Path) -> None:
    """Frames before the first error are the same to the bit; of later ones at least number and times are."""
    path = damaged(tmp_path / name)
    table = table_of(path)
    assert table.pts is not None
    assert table.sound is not None
    with open_source(path) as source:
        whole = list(source)
    for first in range(0, len(whole), 7):
        read_on = frames_from(path, first, table)
        assert [frame.pts for frame in read_on] == [*table.pts[first:]]
        assert_same_frames(read_on[: max(0, table.sound - first)], whole[first : max(first, table.sound)])
        assert_same_frames(read_on[-3:], whole[-3:])


def test_images_are_opened_from_the_first_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(9):
        write_image(tmp_path / f"{index}.png", 8 * 9, 8, "rgba")
    assert_reads_from_anywhere(tmp_path, 2)
    table, opened = table_of(tmp_path), list[str]()

    def noted(path: Path) -> Photo:
        opened.append(path.name)
        return read_photo(path)

    monkeypatch.setattr(read, "read_photo", noted)
    with open_source(tmp_path) as source:
        assert next(source.frames_from(6, table)).name == "6.png"
    assert opened == ["6.png"]


@pytest.mark.parametrize(("name", "most"), [("long.mp4", 30), ("long.mkv", 30), ("long.ts", 300), ("long.avi", 40)])
def test_what_lies_long_before_is_not_decoded(name: str, most: int, tmp_path: Path, decoded: Decoded) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = make(tmp_path / name, Media(frames=600, codec=codec, size=(32, 32), options={"g": "20", "bf": "2"}))
    table = table_of(path)
    assert decoded.frames == 600
    with open_source(path) as source:
        decoded.frames = 0
        frames = source.frames_from(571, table)
        assert [next(frames).pts for _ in range(5)] == [*(table.pts or ())[571:576]]
        assert decoded.frames <= most


def test_another_picture_is_told(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mkv", Media(frames=FRAMES, codec="ffv1"))
    table = table_of(path)
    changed = FrameTable((*table.checksums[:40], 0, *table.checksums[41:]), table.pts, table.durations, table.time_base)
    with open_source(path) as source:
        frames = source.frames_from(35, changed)
        assert [frame.pts for _, frame in zip(range(5), frames, strict=False)] == [*(table.pts or ())[35:40]]
        with pytest.raises(VFEError, match=r"frame 40 is not what it was.*start anew"):
            next(frames)
    make(path, Media(frames=30, codec="ffv1"))
    with pytest.raises(VFEError, match="frame 30 is not what it was"):
        frames_from(path, 20, table)


def test_a_source_closes_what_was_left_in_the_middle(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mkv", H264)
    table = table_of(path)
    with open_source(path) as source:
        for first in (3, 20, 40):
            next(source.frames_from(first, table))
        kept = source.frames_from(30, table)
        next(kept)
    assert next(kept, None) is None
