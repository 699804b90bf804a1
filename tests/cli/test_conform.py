"""`vfe conform`: what a timeline uses is restored, once, and a copy of it reads the results at the same times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")

import opentimelineio as otio

from tests.support.cli_run import assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import write_audio, write_image
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.paths import ROOT
from tests.support.timelines import Tape, clip_of, grey_pictures, media_of, numbers_of, span, timeline_of, write_tape
from vfe.timeline.files import read_timeline, write_timeline
from vfe.timeline.relink import ORIGINAL
from vfe.video.probe import probe

HOUR = 90000
DEMO = ROOT / "web" / "demo" / "vfe_demo.mp4"
EXACT = ("--strength", "0", "--crf", "0", "--handles", "3")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    (folder := tmp_path / "models").mkdir()
    return use_stand_in(monkeypatch, folder)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A timeline of two uses of a tape that overlap, one of another rate, one of another speed, and a title."""
    folder = tmp_path / "film"
    folder.mkdir()
    write_tape(folder / "A001.mov", Tape(frames=120, timecode="01:00:00:00"))
    write_tape(folder / "B002.mp4", Tape(frames=200, rate=Fraction(50), level=90))
    write_image(folder / "title.png")
    own = (HOUR, 120)
    items = [
        clip_of("A001.mov", HOUR + 40, 20, available=own, name="first"),
        clip_of("B002.mp4", 10, 10, available=(0, 200), media_rate=50.0),
        clip_of("A001.mov", HOUR + 50, 20, available=own, name="second"),
        clip_of("title.png", 0, 25),
        clip_of("A001.mov", HOUR + 100, 5, available=own, name="fast", effects=[fast(2)]),
    ]
    timeline = timeline_of(items)
    sound = otio.schema.Track(name="A1", kind=otio.schema.TrackKind.Audio)
    sound.append(clip_of("A001.mov", HOUR + 40, 20, available=own))
    timeline.tracks.append(sound)
    write_timeline(timeline, folder / "cut.otio")
    return folder / "cut.otio"


def fast(speed: float) -> Any:  # noqa: ANN401
    return otio.schema.LinearTimeWarp(time_scalar=speed)


def conform(capsys: pytest.CaptureFixture[str], cut: Path, model: str, *more: object) -> Any:  # noqa: ANN401
    return run_vfe(capsys, "conform", cut, "--model", model, *EXACT, *more)


def frames_read(cut: Path, clip: Any) -> list[int]:  # noqa: ANN401
    """The numbers in the pictures that a clip reads, found as an editor finds them, at the normal speed."""
    path = media_of(cut, clip)
    rate = float(probe(path).rate)
    begin = clip.media_reference.available_range.start_time.to_seconds()
    start = clip.source_range.start_time.to_seconds() - begin
    first, count = round(start * rate), round(clip.source_range.duration.to_seconds() * rate)
    assert 0 <= first
    numbers = numbers_of(grey_pictures(path))
    assert first + count <= len(numbers)
    return numbers[first : first + count]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_timeline_reads_the_same_frames(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = conform(capsys, cut, model)
    assert (run.code, run.err) == (0, "")
    output = cut.with_name("cut.restored.otio")
    before, after = (list(read_timeline(path).find_clips()) for path in (cut, output))
    restored = [0, 1, 2, 4]
    for number in restored:
        assert media_of(output, after[number]).parent.name == "cut.restored.media"
        assert frames_read(output, after[number]) == frames_read(cut, before[number])
        assert after[number].source_range == before[number].source_range
    assert files(output.with_name("cut.restored.media")) == [
        ".vfe-batch.jsonl",
        "A001.36-72.mov",
        "A001.96-112.mov",
        "B002.16-42.mov",
    ]


def test_all_else_of_the_timeline_stays(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    conform(capsys, cut, model)
    before, after = read_timeline(cut), read_timeline(cut.with_name("cut.restored.otio"))
    assert [(t.name, t.kind) for t in after.tracks] == [(t.name, t.kind) for t in before.tracks]
    old, new = list(before.find_clips()), list(after.find_clips())
    assert [clip.name for clip in new] == [clip.name for clip in old]
    assert [len(clip.effects) for clip in new] == [0, 0, 0, 0, 1, 0]
    for number in (3, 5):  # the title and the sound
        assert new[number].is_equivalent_to(old[number])
    assert new[0].media_references()[ORIGINAL].is_equivalent_to(old[0].media_reference)
    assert [marker.name for marker in new[0].markers] == ["restored: stand_in, frame, strength 0"]


def test_results_have_the_timecode_of_their_first_frame(
    cut: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    conform(capsys, cut, model)
    info = probe(cut.with_name("cut.restored.media") / "A001.36-72.mov")
    assert info.track_metadata["timecode"] == "01:00:01:11"


def test_frames_are_restored(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_vfe(capsys, "conform", cut, "--model", model, "--handles", 3, "--crf", 0)
    after = grey_pictures(cut.with_name("cut.restored.media") / "A001.36-72.mov").astype(int)
    assert 9 < (after - grey_pictures(cut.with_name("A001.mov"))[36:73]).mean() < 16


def test_the_same_line_again_restores_nothing(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    conform(capsys, cut, model)
    folder = cut.with_name("cut.restored.media")
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.mov")}
    assert_one_line_error(conform(capsys, cut, model), "cut.restored.otio: exists already; use --overwrite")
    cut.with_name("cut.restored.otio").unlink()
    run = conform(capsys, cut, model)
    assert run.code == 0
    assert run.out.count("done before: ") == 3
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.mov")} == times


def test_a_cut_that_moved_within_its_handles_needs_nothing(
    cut: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    conform(capsys, cut, model)
    timeline = read_timeline(cut)
    clip = next(iter(timeline.find_clips()))
    clip.source_range = span(HOUR + 38, 20)
    write_timeline(timeline, cut)
    run = conform(capsys, cut, model, "--overwrite")
    assert "to be restored" not in run.out
    output = cut.with_name("cut.restored.otio")
    assert frames_read(output, next(iter(read_timeline(output).find_clips()))) == list(range(38, 58))


def test_other_options_make_other_results(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    conform(capsys, cut, model)
    run = conform(capsys, cut, model, "-o", cut.with_name("b.otio"), "--results", cut.with_name("cut.restored.media"),
                  "--strength", "0.5")  # fmt: skip
    assert_one_line_error(run, "exists and was made with another strength (0.0, now 0.5); --overwrite replaces it")


def test_a_dry_run_does_nothing(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(cut.parent)
    run = conform(capsys, cut, model, "--dry-run")
    assert (run.code, files(cut.parent)) == (0, before)
    assert run.out.splitlines() == [
        "source    frames  of   clips  result",
        "A001.mov  36-72   120  2      A001.36-72.mov",
        "A001.mov  96-112  120  1      A001.96-112.mov",
        "B002.mp4  16-42   200  1      B002.16-42.mov",
        "3 ranges of 81 frames to be restored",
        "left as it is, a still image: title",
    ]


def test_only_chosen_clips_are_restored(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = conform(capsys, cut, model, "--only-clips", "b0*", "--only-clips", "FIRST", "--dry-run")
    assert "A001.37-62.mov" in run.out
    assert "B002.16-42.mov" in run.out
    assert "left as it is, not chosen: second, fast" in run.out


def test_missing_media_stop_all_before_any_work(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    cut.with_name("B002.mp4").rename(cut.parent.parent / "B002.mp4")
    run = conform(capsys, cut, model)
    assert_one_line_error(run, "1 media file of the timeline cannot be read, as listed above; --media-root FOLDER")
    assert "missing, for 1 clip: B002.mp4: is not there; --media-root FOLDER says where to look" in run.out
    assert not cut.with_name("cut.restored.media").exists()


def test_the_rest_is_restored_where_that_is_wanted(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    cut.with_name("B002.mp4").unlink()
    assert conform(capsys, cut, model, "--skip-missing").code == 0
    clips = list(read_timeline(cut.with_name("cut.restored.otio")).find_clips())
    assert clips[1].media_reference.target_url == "B002.mp4"
    assert "A001.36-72.mov" in clips[0].media_reference.target_url


def test_media_are_found_where_they_are_now(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (moved := cut.parent.parent / "raid" / "day 1").mkdir(parents=True)
    for name in ("A001.mov", "B002.mp4"):
        cut.with_name(name).rename(moved / name)
    run = conform(capsys, cut, model, "--media-root", moved.parent)
    assert run.code == 0
    assert "A001.36-72.mov" in run.out


def test_media_that_are_no_videos_are_listed(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    cut.with_name("A001.mov").write_text("no video\n" * 99)
    write_audio(cut.with_name("B002.mp4"))
    run = conform(capsys, cut, model)
    assert_one_line_error(run, "2 media files of the timeline cannot be read")
    assert "has only audio" in run.out
    assert "missing, for 3 clips: A001.mov: " in run.out


@pytest.mark.parametrize("output", ["cut.otio", "A001.mov", "gone/x.otio", "x.fcpxml", "models"])
def test_nothing_of_the_user_is_written_over(
    cut: Path, model: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in cut.parent.iterdir()}
    run = conform(capsys, cut, model, "--overwrite", "-o", cut.parent / output)
    assert run.code == 1
    assert {path: path.read_bytes() for path in cut.parent.iterdir()} == before


def test_a_file_of_somebody_else_is_not_replaced(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder := cut.with_name("cut.restored.media")).mkdir()
    (folder / "B002.16-42.mov").write_text("mine")
    run = conform(capsys, cut, model)
    assert_one_line_error(run, "B002.16-42.mov: exists and was not made by such a run; --overwrite replaces it")
    assert files(folder) == ["B002.16-42.mov"]


def test_results_beside_the_media_leave_these_alone(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = cut.with_name("A001.mov").read_bytes()
    assert conform(capsys, cut, model, "--results", cut.parent, "--overwrite").code == 0
    assert cut.with_name("A001.mov").read_bytes() == before
    assert cut.with_name("A001.36-72.mov").exists()


def test_sources_of_one_name_have_results_of_two(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (other := cut.parent / "day2").mkdir()
    write_tape(other / "A001.mov", Tape(level=60))
    write_timeline(timeline_of([clip_of("A001.mov", 5, 5), clip_of("day2/A001.mov", 5, 5)]), cut)
    assert conform(capsys, cut, model).code == 0
    first, second = read_timeline(cut.with_name("cut.restored.otio")).find_clips()
    assert media_of(cut, first) != media_of(cut, second)
    levels = [grey_pictures(media_of(cut, clip))[0, -1, -1] for clip in (first, second)]
    assert np.abs(np.array(levels, int) - [128, 60]).max() <= 4


def test_a_conformed_timeline_is_left_alone(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    conform(capsys, cut, model)
    for suffix in (".otio", ".xml"):
        output = cut.with_name(f"again{suffix}")
        run = conform(capsys, cut, model, "-o", output, "--results", cut.with_name("cut.restored.media"))
        assert run.code == 0
        assert_one_line_error(conform(capsys, output, model), "no clip of it is to be restored")


@pytest.mark.parametrize("suffix", [".xml", ".edl"])
def test_other_kinds_of_timelines_read_the_same_frames(
    cut: Path, model: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first three clips, for EDLs know one rate alone."""
    timeline = read_timeline(cut)
    for item in list(timeline.tracks[0])[3:]:
        timeline.tracks[0].remove(item)
    timeline.tracks.pop()
    write_timeline(timeline, cut)
    before = [frames_read(cut, clip) for clip in timeline.find_clips()]
    there, back = cut.with_name(f"there{suffix}"), cut.with_name(f"back{suffix}")
    original = cut.with_name(f"original{suffix}")
    rate = ("--rate", 25) if suffix == ".edl" else ()
    write_timeline(absolute(timeline, cut.parent), original)
    assert conform(capsys, cut, model, "-o", there).code == 0
    run = conform(capsys, original, model, "-o", back, *rate)
    assert (run.code, run.err) == (0, "")
    for written in (there, back):
        clips = list(read_timeline(written, 25 if suffix == ".edl" else None).find_clips())
        for clip, wanted in zip(clips, before, strict=True):
            if clip.media_reference.available_range is None:  # an EDL has the timecode of the file instead
                code = probe(media_of(cut, clip)).track_metadata["timecode"]
                start = otio.opentime.from_timecode(code, float(probe(media_of(cut, clip)).rate))
                clip.media_reference.available_range = otio.opentime.TimeRange(start, span(0, 1).duration)
            assert frames_read(written, clip) == wanted


def absolute(timeline: Any, folder: Path) -> Any:  # noqa: ANN401
    for clip in timeline.find_clips():
        clip.media_reference.target_url = (folder / clip.media_reference.target_url).as_uri()
    return timeline


def test_a_killed_run_goes_on(
    cut: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfe.timeline.results import Stored

    ended: list[str] = []
    end = Stored.end

    def kill_second(stored: Stored, result: Any) -> None:  # noqa: ANN401
        if ended:
            raise KeyboardInterrupt  # the result has its name, and nobody noted that it is done
        ended.append(result.output.name)
        end(stored, result)

    with monkeypatch.context() as patch:
        patch.setattr(Stored, "end", kill_second)
        assert conform(capsys, cut, model).code == 130
    assert not cut.with_name("cut.restored.otio").exists()
    run = conform(capsys, cut, model)
    assert run.code == 0
    assert run.out.count("done before: ") == 2


def test_a_range_that_fails_stops_no_other(
    cut: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vfe.cli import conform_range

    part_for = conform_range.part_for

    def fail_first(result: Any, *more: Any) -> Path:  # noqa: ANN401
        if result.output.name == "A001.36-72.mov":
            raise OSError(5, "Input/output error", "A001.mov")
        return part_for(result, *more)

    with monkeypatch.context() as patch:
        patch.setattr(conform_range, "part_for", fail_first)
        run = conform(capsys, cut, model)
    assert_one_line_error(run, "1 of 3 ranges could not be restored, and no timeline was written")
    assert "A001.36-72.mov: failed: A001.mov: Input/output error" in run.out
    assert not cut.with_name("cut.restored.otio").exists()
    assert conform(capsys, cut, model).out.count("done before: ") == 2


@pytest.mark.slow
def test_ranges_without_a_face_keep_the_original(
    cut: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_in(monkeypatch, cut.parent.parent / "models", MixingPipeline())
    (folder := cut.parent / "faces").mkdir()
    write_timeline(timeline_of([clip_of("A001.mov", HOUR + 40, 5), clip_of(DEMO.as_uri(), 10, 5)]), cut)
    line = ("--region", "face", "--results", folder)
    run = conform(capsys, cut, model, *line)
    assert (run.code, run.err) == (0, "")
    assert "A001.37-47.mov: no face to restore; the original stays" in run.out
    assert "1 clip now reads restored media" in run.out
    assert files(folder) == [".vfe-batch.jsonl", f"{DEMO.stem}.7-17.mov"]
    first, second = read_timeline(cut.with_name("cut.restored.otio")).find_clips()
    assert first.media_reference.target_url == "A001.mov"
    assert not list(first.markers)
    assert second.media_reference.target_url.endswith("7-17.mov")
    again = conform(capsys, cut, model, *line, "--overwrite")
    assert "no face to restore" in again.out
    assert "to be restored" not in again.out


@pytest.mark.slow
def test_faces_that_are_too_small_keep_the_original(cut: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_timeline(timeline_of([clip_of(DEMO.as_uri(), 10, 5)]), cut)
    run = conform(capsys, cut, model, "--region", "face", "--min-face", "380")
    assert "no face to restore; the original stays" in run.out
    assert "0 clips now read restored media" in run.out


@pytest.mark.slow
def test_long_ranges_go_through_jobs_to_the_same_frames(
    cut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_timeline(timeline_of([clip_of("A001.mov", HOUR + 40, 30), clip_of("B002.mp4", 20, 20)]), cut)
    line = ("conform", cut, "--handles", 2, "--crf", 0, "--face-model", "none", "--device", "cpu", "--window", 5)
    assert run_vfe(capsys, *line, "--results", cut.with_name("whole"), "-o", cut.with_name("whole.otio")).code == 0
    monkeypatch.setattr("vfe.jobs.whole.LONG_SECONDS", 0.5)
    run = run_vfe(capsys, *line, "--results", cut.with_name("parts"), "-o", cut.with_name("parts.otio"),
                  "--segment-frames", 12)  # fmt: skip
    assert (run.code, files(cut.with_name("parts"))) == (0, files(cut.with_name("whole")))
    for path in cut.with_name("whole").glob("*.mov"):
        assert np.array_equal(grey_pictures(path), grey_pictures(cut.parent / "parts" / path.name))


@pytest.mark.parametrize(("codec", "container"), [("ffv1", "mov"), ("prores", "mp4")])
def test_a_container_that_does_not_fit_is_wrong_usage(
    cut: Path, model: str, codec: str, container: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = conform(capsys, cut, model, "--codec", codec, "--container", container, "--dry-run")
    assert_one_line_error(run, f"a .{container} file cannot hold {codec}", code=2)
