"""When frames of a damaged video are missing or wrong: as told, against what was taken from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import pytest

from tests.support.cli_run import BrightenPipeline
from tests.support.media import Media, make
from vfe.options import RestoreOptions
from vfe.restore.restorer import Restorer
from vfe.video.lost import LostTimes, TimeRange, lost_notes
from vfe.video.read import Source, open_source

RATE = 25
FRAMES = 50
Damage = Callable[[Path, range], Path]


def read(path: Path) -> Source:
    """The source after all of its frames were read."""
    with open_source(path) as source:
        for _ in source.decoded():
            pass
    return source


def blanked(path: Path, numbers: range) -> Path:
    """The file with the content of the pictures of these frames replaced by zeros."""
    data = bytearray(path.read_bytes())
    for packet in pictures(path, numbers):
        data[packet.pos + 8 : packet.pos + packet.size] = bytes(packet.size - 8)
    path.write_bytes(data)
    return path


def torn(path: Path, numbers: range) -> Path:
    """The file without the bytes from the middle of one picture to that of another."""
    data = path.read_bytes()
    first, *_, last = pictures(path, numbers)
    path.write_bytes(data[: first.pos + first.size // 2] + data[last.pos + last.size // 2 :])
    return path


def cut(path: Path, numbers: range) -> Path:
    """The file up to the first of these frames."""
    (first, *_) = pictures(path, numbers)
    path.write_bytes(path.read_bytes()[: first.pos])
    return path


class Place(NamedTuple):
    """Where a picture is in a file."""

    pos: int
    size: int


def pictures(path: Path, numbers: range) -> list[Place]:
    """Where the pictures of these frames are, in a file whose frames are in order."""
    with av.open(str(path)) as container:
        places = [Place(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    return places[numbers.start : numbers.stop]


LOST = range(20, 24)
INTRA = {"g": "1"}
CASES = [
    ("a.mkv", Media(codec="ffv1", frames=FRAMES, options={"g": "1", "slicecrc": "1"}), blanked),
    ("a.avi", Media(codec="mjpeg", frames=FRAMES, pix_fmt="yuvj420p"), blanked),
    ("a.mp4", Media(codec="libx264", frames=FRAMES, options=INTRA), blanked),
    ("a.mkv", Media(codec="libx264", frames=FRAMES, options=INTRA, audio="aac"), torn),
    ("a.ts", Media(codec="mpeg2video", frames=FRAMES, options=INTRA, audio="mp2"), torn),
    ("a.mkv", Media(codec="libx264", frames=FRAMES, options=INTRA), cut),
    ("a.avi", Media(codec="mpeg4", frames=FRAMES), cut),
]


@pytest.mark.parametrize(("name", "media", "damage"), CASES)
def test_what_was_taken_is_told(name: str, media: Media, damage: Damage, tmp_path: Path) -> None:
    """To a frame; FFmpeg needs some more of a torn file before it finds a picture again."""
    source = read(damage(make(tmp_path / name, media), LOST))
    (lost,) = source.lost
    assert lost.start == pytest.approx(LOST.start / RATE, abs=1.1 / RATE)
    ends = (FRAMES if damage is cut else LOST.stop) / RATE
    assert ends - 1.1 / RATE < lost.end < ends + (0.2 if damage is torn else 1.1 / RATE)
    assert lost_notes(name, source.lost)[0] in source.notes


def test_a_whole_video_lost_nothing(tmp_path: Path) -> None:
    """Also where frames are shown for different times, and where frames are reordered."""
    pts = (0, 40, 80, 500, 540, 2000, 2040)
    paused = Media(frames=7, pts=pts, time_base=Fraction(1, 1000), codec="ffv1")
    sources = [read(make(tmp_path / "paused.mkv", paused)), read(make(tmp_path / "a.mp4", Media(frames=30)))]
    assert [source.lost for source in sources] == [(), ()]
    assert [source.notes for source in sources] == [[], []]


def test_the_report_of_a_run_has_the_times(tmp_path: Path) -> None:
    path = cut(make(tmp_path / "a.avi", Media(codec="mjpeg", frames=10, pix_fmt="yuvj420p")), range(6, 7))
    options = RestoreOptions(report=tmp_path / "report.json")
    report = Restorer(BrightenPipeline()).restore_file(path, tmp_path / "out.mkv", options)
    assert report.frames == 6
    assert report.lost == (TimeRange(0.24, 0.4),)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["lost"] == [{"start": 0.24, "end": 0.4}]
    assert "frames of a.avi are missing or have errors at 0:00:00.240 to 0:00:00.400" in report.notes


class TestLostTimes:
    """The law: a pause counts where something failed nearby."""

    def lost(self, shown: list[tuple[float, float, bool]], failures: list[float], end: float = 0) -> list[TimeRange]:
        times = LostTimes(Fraction(10), failures)
        for start, stop, is_broken in shown:
            times.read(start, stop, is_broken)
        return [TimeRange(round(start, 6), round(stop, 6)) for start, stop in times.until(end)]

    def test_a_pause_is_lost_where_something_failed(self) -> None:
        shown = [(0.0, 0.1, False), (0.1, 3.0, False), (3.0, 3.1, False)]
        assert self.lost(shown, []) == []
        assert self.lost(shown, [1.0]) == [(0.2, 3.0)]
        assert self.lost(shown, [9.0], end=3.1)[0].start > 3.0

    def test_broken_frames_join_what_is_missing(self) -> None:
        shown = [(0.0, 0.1, False), (0.1, 0.5, True), (0.5, 0.6, True), (0.6, 0.7, False), (0.7, 0.8, True)]
        assert self.lost(shown, []) == [(0.1, 0.6), (0.7, 0.8)]

    def test_the_begin_and_the_end_can_be_lost(self) -> None:
        assert self.lost([(1.0, 1.1, False)], [0.0], end=2.0) == [(0.0, 1.0), (1.1, 2.0)]
        assert self.lost([(0.0, 0.1, False)], [0.1, 0.2, 0.3]) == [(0.1, 0.4)]


def test_some_ranges_are_named_and_the_rest_counted() -> None:
    ranges = tuple(TimeRange(3600.0 + n, 3600.5 + n) for n in range(5))
    assert lost_notes("a.ts", ()) == []
    assert lost_notes("a.ts", ranges[:1]) == ["frames of a.ts are missing or have errors at 1:00:00.000 to 1:00:00.500"]
    assert lost_notes("a.ts", ranges)[0].endswith("1:00:02.000 to 1:00:02.500 and 2 more times")
