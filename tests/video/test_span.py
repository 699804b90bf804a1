"""A span of the time of a video has the very pictures that the whole of it has there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.cli_run import BrightenPipeline
from tests.support.clips import Clip, read_times, write_audio, write_clip, write_image
from vfe.restore.restorer import Restorer
from vfe.types import TimeSpan, VFEError
from vfe.video.read import Frame, open_source
from vfe.video.span import open_span

LONG = 400  # frames: key frames of x264 are 250 apart


def frames_of(path: Path, first: int, stop: int, rate: int = 25) -> list[Frame]:
    """The frames from `first` to before `stop`, asked for by times between frames."""
    with open_span(path, TimeSpan(max(0.0, (first - 0.5) / rate), (stop - 0.5) / rate)) as source:
        return list(source)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
def test_pictures_are_those_of_the_whole(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", Clip(frames=LONG))
    with open_source(clip) as source:
        whole = list(source)
    for first, stop in ((0, 3), (1, 7), (249, 252), (LONG - 4, LONG), (LONG - 1, LONG + 20)):
        found = frames_of(clip, first, stop)
        wanted = whole[first:stop]
        assert len(found) == len(wanted), (first, stop)
        assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(found, wanted, strict=True)), (first, stop)


def test_times_count_from_its_first_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=6, pts=(0, 40, 100, 130, 210, 250)))
    with open_span(clip, TimeSpan(0.1, 0.25)) as source:
        found = list(source)
    assert [frame.pts for frame in found] == [0, 30, 110]
    assert [frame.duration for frame in found] == [30, 80, 40]


def test_it_can_be_read_twice(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=9))
    with open_span(clip, TimeSpan(0.1)) as source:
        assert len(list(source)) == len(list(source)) == 6


def test_a_file_of_it_has_its_pictures_alone(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=20, audio=True))
    report = Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "out.mkv", span=TimeSpan(0.18, 0.58))
    assert report.frames == 10
    assert report.notes == ("sound, subtitles and chapters are left out of a span",)
    assert read_times(tmp_path / "out.mkv") == pytest.approx([0.04 * index for index in range(10)])
    with open_source(tmp_path / "out.mkv") as source:
        assert source.info.audio == ()


@pytest.mark.parametrize("span", [TimeSpan(0.8), TimeSpan(70.0, 80.0)])
def test_what_begins_after_the_end_is_refused(tmp_path: Path, span: TimeSpan) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=20))
    with pytest.raises(VFEError, match=r"clip\.mp4: lasts 0\.800 s, the span begins at .*; let it begin earlier"):
        open_span(clip, span)


def test_a_span_between_two_frames_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=20))
    with open_span(clip, TimeSpan(0.405, 0.41)) as source, pytest.raises(VFEError, match="needed is a longer one"):
        list(source)


def test_only_videos_have_spans(tmp_path: Path) -> None:
    with pytest.raises(VFEError, match="is no video file"):
        open_span(write_image(tmp_path / "image.png"), TimeSpan(1.0))
    with pytest.raises(VFEError):
        open_span(write_audio(tmp_path / "sound.m4a"), TimeSpan(0.1))


@pytest.mark.parametrize("bad", [(-1.0, None), (2.0, 2.0), (2.0, 1.0), (float("nan"), None), (0.0, float("inf"))])
def test_spans_that_make_no_sense(bad: tuple[float, float | None]) -> None:
    with pytest.raises(ValueError, match="needed is"):
        TimeSpan(*bad)
