"""Stretches of a clip restored on their own: frame by frame, to the bit, what a single pass over all of it gives."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import Tensor

from tests.support.captured_frames import assert_same_frames, single_pass
from tests.support.clips import Clip, write_clip, write_image
from tests.support.face_tracks import moving_boxes, track_of
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.small_patcher import SmallPatcher
from vfe.face.track.tracks import FaceTrack, FaceTracks
from vfe.options import Region, RestoreOptions
from vfe.pipeline.windows import WindowConfig
from vfe.restore.face_stream import FacePart
from vfe.restore.find_faces import scaled
from vfe.restore.restorer import Restorer
from vfe.restore.survey import Survey
from vfe.types import Cancelled, Stretch, VFEError
from vfe.video.info import VideoInfo
from vfe.video.read import Frame, Source, open_source

COUNT = 61


def restorer(*, aligned: bool = True, original: bool = False, window: WindowConfig | None = None) -> Restorer:
    """Two parts that restore windows in no time."""
    return Restorer(MixingPipeline(window), FacePart(MixingPipeline(window), aligned, original))


def faces_of(count: int) -> tuple[FaceTrack, ...]:
    """A face on all frames, one from within to within, one that ends at a cut, and a short one after it."""
    boxes = [
        track_of(moving_boxes(count, (4, 6, 24, 32), (0.2, 0)), 0, 1),
        track_of(moving_boxes(max(1, count - 14), (40, 8, 60, 34), (-0.2, 0)), min(7, count - 1), 2),
    ]
    if count > 45:
        boxes += [track_of(moving_boxes(33, (30, 20, 44, 40)), 0, 3), track_of(moving_boxes(3, (25, 4, 50, 40)), 33, 4)]
    return tuple(boxes)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces are where `faces_of` says, in all clips, and small."""

    def find(info: VideoInfo, frames: Iterator[Frame], options: RestoreOptions, *_: object) -> FaceTracks:
        count = sum(1 for _ in frames)
        tracks = FaceTracks(width=info.width, height=info.height, frames=count, cuts=(), tracks=faces_of(count))
        return scaled(tracks, *options.output_size(info.width, info.height))

    monkeypatch.setattr("vfe.restore.find_faces.find_tracks", find)
    for patcher in ("FacePatcher", "AlignedPatcher"):
        monkeypatch.setattr(f"vfe.restore.face_stream.{patcher}", SmallPatcher)


def surveyed(one: Restorer, clip: Path, options: RestoreOptions) -> Survey:
    with open_source(clip) as source:
        return one.survey(source, options)


def restored(one: Restorer, clip: Path, survey: Survey, options: RestoreOptions, stretch: Stretch) -> list[Frame]:
    with open_source(clip) as source:
        return list(one.restore_stretch(source, survey, options, stretch))


def stretches(count: int, number: int = 5) -> list[Stretch]:
    """Some at the ends, and some at random."""
    chance = random.Random(count)
    pairs = [sorted(chance.sample(range(count + 1), 2)) for _ in range(number)]
    return [Stretch(0, count), Stretch(count - 1, count), *(Stretch(*pair) for pair in pairs)]


def assert_stretches_equal_the_whole(
    monkeypatch: pytest.MonkeyPatch, one: Restorer, clip: Path, options: RestoreOptions, number: int = 5
) -> Survey:
    whole = single_pass(monkeypatch, one, clip, options)
    survey = surveyed(one, clip, options)
    assert len(survey.frames) == len(whole)
    for stretch in stretches(len(whole), number):
        assert_same_frames(restored(one, clip, survey, options, stretch), whole[stretch.start : stretch.stop])
    return survey


@pytest.mark.parametrize("count", [1, 24, 25, 26, 44, 45, 46, 60, 61, 130])
def test_whole_frames(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=count, codec="ffv1"))
    survey = assert_stretches_equal_the_whole(monkeypatch, Restorer(MixingPipeline()), clip, RestoreOptions(), 12)
    assert survey.tracks is None
    assert survey.cuts == ()


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("count", [1, 24, 25, 26, 44, 45, 46, 60, 61, 130])
@pytest.mark.parametrize("region", ["frame", "face"])
def test_faces(count: int, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On all frames and on some, that begin and end within the stretch and without."""
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=count, codec="ffv1"))
    survey = assert_stretches_equal_the_whole(monkeypatch, restorer(), clip, RestoreOptions(region=region))
    assert survey.tracks is not None
    assert len(survey.tracks.tracks) == (4 if count > 45 else 2)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    "options",
    [
        RestoreOptions(region="auto", strength=0.7, fidelity=0.2),
        RestoreOptions(region="face", blend=0.6, strength=0.7),
        RestoreOptions(region="face", blend=0.6, fidelity=1.0),
        RestoreOptions(blend=0.4, scale=1.5),
        RestoreOptions(region="face", size=(40, 60)),
    ],
    ids=["auto", "blend", "faithful", "scale", "size"],
)
@pytest.mark.parametrize("original", [False, True])
def test_options(options: RestoreOptions, original: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=46, codec="ffv1"))
    assert_stretches_equal_the_whole(monkeypatch, restorer(original=original), clip, options, 3)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("window", [WindowConfig(9, 4), WindowConfig(13, 5), WindowConfig(1, 0)], ids=str)
def test_windows(window: WindowConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=COUNT, codec="ffv1"))
    for options in (RestoreOptions(), RestoreOptions(region="face", blend=0.5)):
        assert_stretches_equal_the_whole(monkeypatch, restorer(window=window, original=True), clip, options, 4)


@pytest.mark.usefixtures("found")
def test_alpha_and_times_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pts = tuple(40 * index + 13 * (index % 3) for index in range(30))
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=30, codec="ffv1", pix_fmt="bgra", pts=pts))
    for options in (RestoreOptions(size=(40, 30)), RestoreOptions(region="face")):
        survey = assert_stretches_equal_the_whole(monkeypatch, restorer(), clip, options)
        assert survey.frames.pts == pts
    with open_source(clip) as source:
        assert all(frame.alpha is not None for frame in source)


def test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(28):
        write_image(folder / f"{index}.png", 20, 16, "rgba" if index % 2 else "rgb24")
    survey = assert_stretches_equal_the_whole(monkeypatch, Restorer(MixingPipeline()), folder, RestoreOptions())
    assert survey.frames.pts is None


@pytest.mark.usefixtures("found")
def test_memory_is_bounded_by_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stretch of 100 frames, not more frames are alive than of a single pass and the margins before and after."""
    window, alive, most = WindowConfig(9, 1), weakref.WeakSet[Tensor](), 0
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=130, codec="ffv1"))
    one, options = restorer(window=window), RestoreOptions()
    survey = surveyed(one, clip, options)
    read = Source.frames_from

    def counted(source: Source, *given: object) -> Iterator[Frame]:
        nonlocal most
        for frame in read(source, *given):  # type: ignore[arg-type]
            alive.add(frame.pixels)
            most = max(most, len(alive))
            yield frame

    monkeypatch.setattr(Source, "frames_from", counted)
    with open_source(clip) as source:
        assert sum(1 for _ in one.restore_stretch(source, survey, options, Stretch(20, 120))) == 100
    assert most <= 2 * window.frames + 3


def test_progress_counts_the_stretch_and_can_stop(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=50, codec="ffv1"))
    one, options, calls = Restorer(MixingPipeline()), RestoreOptions(), list[tuple[int, int | None]]()
    survey = surveyed(one, clip, options)
    with open_source(clip) as source:
        list(one.restore_stretch(source, survey, options, Stretch(10, 40), lambda *call: calls.append(call)))
    assert calls[0] == (0, 30)
    assert calls[-1] == (30, 30)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)

    def stop(done: int, _: int | None) -> None:
        if done == 7:
            raise Cancelled

    with open_source(clip) as source, pytest.raises(Cancelled):
        list(one.restore_stretch(source, survey, options, Stretch(10, 40), stop))


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("region", ["frame", "face"])
def test_a_survey_reads_once_and_tells_how_far_it_is(region: Region, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=12, codec="ffv1"))
    calls: list[tuple[int, int | None]] = []
    with open_source(clip) as source:
        restorer().survey(source, RestoreOptions(region=region), lambda *call: calls.append(call))
    assert calls == [(done, 12) for done in range(13)]


@pytest.mark.usefixtures("found")
def test_faces_of_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=5, codec="ffv1"))
    survey = surveyed(restorer(), clip, RestoreOptions())
    with pytest.raises(VFEError, match="faces in frames of 64x48, needed are those of 128x96"):
        restored(restorer(), clip, survey, RestoreOptions(scale=2), Stretch(0, 3))


def test_a_stretch_reaches_not_beyond_its_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Clip(frames=5, codec="ffv1"))
    one = Restorer(MixingPipeline())
    survey = surveyed(one, clip, RestoreOptions())
    with pytest.raises(ValueError, match="the clip has 5"):
        restored(one, clip, survey, RestoreOptions(), Stretch(2, 6))
