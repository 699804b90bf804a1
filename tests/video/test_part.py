"""A part of a video as an input: its frames are those of the video, at times of their own, with their timecode."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.cli_run import BrightenPipeline
from tests.support.clips import read_times
from tests.support.timelines import Tape, grey_pictures, numbers_of, write_tape
from vfe.restore.restorer import RestoreOptions, Restorer
from vfe.timeline.cutting import part_of, pictures_of
from vfe.timeline.media import describe
from vfe.types import Stretch, VFEError, no_progress
from vfe.video.part import SUFFIX, read_part, write_part
from vfe.video.probe import probe
from vfe.video.read import open_source

SLOW = Fraction(30000, 1001)


def part(tmp_path: Path, tape: Tape, stretch: Stretch, suffix: str = ".mov") -> Path:
    """The file of a part of a tape."""
    media = describe(write_tape(tmp_path / f"tape{suffix}", tape))
    table = pictures_of(media, stretch.stop - 1, tmp_path, no_progress)
    return part_of(media, stretch, table, lambda frame: f"01:00:00:{frame:02}")


def pass_through(source: Path, output: Path) -> Path:
    Restorer(BrightenPipeline()).restore_file(source, output, RestoreOptions(strength=0, crf=0))
    return output


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("stretch", [Stretch(0, 5), Stretch(13, 47), Stretch(59, 60), Stretch(50, 60)])
def test_a_part_has_the_frames_of_the_video(tmp_path: Path, suffix: str, stretch: Stretch) -> None:
    tape = Tape(rate=SLOW, codec="mpeg4" if suffix == ".avi" else "libx264")
    source = part(tmp_path, tape, stretch, suffix)
    info = probe(source)
    assert (info.frames, info.rate, info.time_base) == (len(stretch), SLOW, 1 / SLOW)
    with open_source(tmp_path / f"tape{suffix}") as whole, open_source(source) as piece:
        wanted = [frame.pixels for frame in whole][stretch.start : stretch.stop]
        frames = list(piece)
    assert [frame.pts for frame in frames] == list(range(len(stretch)))
    assert all(torch.equal(frame.pixels, pixels) for frame, pixels in zip(frames, wanted, strict=True))


def test_a_result_of_a_part_is_exact_in_time_and_picture(tmp_path: Path) -> None:
    source = part(tmp_path, Tape(rate=SLOW), Stretch(13, 47), ".mkv")
    output = pass_through(source, tmp_path / "result.mov")
    assert numbers_of(grey_pictures(output)) == list(range(13, 47))
    assert np.array_equal(grey_pictures(output), grey_pictures(tmp_path / "tape.mkv")[13:47])
    assert np.allclose(read_times(output), np.arange(34) / float(SLOW))
    assert (probe(output).rate, probe(output).track_metadata["timecode"]) == (SLOW, "01:00:00:13")


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times = (0, 40, 80, 200, 240, 250, 320, 360, 400, 440)
    source = part(tmp_path, Tape(frames=10, pts=times), Stretch(3, 9), ".mkv")
    with open_source(source) as piece:
        shown = [(frame.pts or 0) * float(frame.time_base or 0) for frame in piece]
    media = describe(tmp_path / "tape.mkv")
    begin = 3 / float(media.fps)
    inside = [time / 1000 - begin for time in times if begin < time / 1000 < 9 / float(media.fps) - 0.02]
    assert shown[0] == 0
    assert np.allclose(shown[1:], inside, atol=0.5 / 16 / float(media.fps) + 1e-6)


def test_frames_from_the_middle_are_those_of_the_whole_part(tmp_path: Path) -> None:
    source = part(tmp_path, Tape(frames=90), Stretch(20, 80))
    restorer = Restorer(BrightenPipeline())
    with open_source(source) as piece:
        survey = restorer.survey(piece, RestoreOptions())
        whole = [frame.pixels for frame in piece]
        later = list(piece.frames_from(37, survey.frames))
    assert [frame.pts for frame in later] == list(range(37, 60))
    assert all(torch.equal(frame.pixels, pixels) for frame, pixels in zip(later, whole[37:], strict=True))


def test_no_more_of_a_video_is_read_than_is_used(tmp_path: Path) -> None:
    part(tmp_path, Tape(frames=300), Stretch(20, 40))
    (table,) = tmp_path.glob("*.frames.json")
    assert len(json.loads(table.read_text())["checksums"]) < 50


def test_sound_stays_behind_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    source = part(tmp_path, Tape(), Stretch(5, 9))
    assert probe(source).audio == ()


def test_a_changed_video_is_noticed(tmp_path: Path) -> None:
    source = part(tmp_path, Tape(), Stretch(5, 9))
    write_tape(tmp_path / "tape.mov", Tape(level=50))
    with pytest.raises(VFEError, match=r"tape\.mov: was changed since a part of it was named"):
        probe(source)


def test_the_same_part_is_not_written_anew(tmp_path: Path) -> None:
    source = part(tmp_path, Tape(), Stretch(5, 9))
    before = source.stat().st_mtime_ns
    write_part(source, read_part(source))
    assert source.stat().st_mtime_ns == before
    write_part(source, replace(read_part(source), timecode=None))
    assert read_part(source).timecode is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "vfe-part-2"), ("start", -1), ("start", 9), ("stop", 5), ("stop", 10**9), ("rate", [0, 1]),
        ("rate", [25]), ("table", "../tape.frames.json"), ("table", "gone.json"), ("source", f"other{SUFFIX}"),
        ("source", "/gone.mov"), ("fingerprint", 7), ("more", 1), ("slot", -3), ("timecode", 5),
    ],
)  # fmt: skip
def test_a_bad_part_is_one_line(tmp_path: Path, key: str, value: object) -> None:
    source = part(tmp_path, Tape(), Stretch(5, 9))
    source.write_text(json.dumps({**json.loads(source.read_text()), key: value}))
    with pytest.raises(VFEError) as raised, open_source(source) as piece:
        list(piece)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format": "vfe-part-1"}', "\x00"])
def test_what_is_no_part_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / f"a{SUFFIX}").write_text(text)
    with pytest.raises(VFEError, match="is no part of a video"):
        probe(tmp_path / f"a{SUFFIX}")
