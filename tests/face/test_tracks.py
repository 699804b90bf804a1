"""Faces over time: people never swap, gaps are bridged or faded, tracks stay in their shots, memory is bounded."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.moving_faces import WIDTH, Actor, film
from tests.support.paths import SCENES
from vfe.face.detect.boxes import iou
from vfe.face.detect.detector import FaceDetector
from vfe.face.track.tracker import FaceTracker, TrackConfig, track_faces
from vfe.face.track.tracks import FaceTrack, FaceTracks
from vfe.video.read import open_source

pytestmark = pytest.mark.slow

PICTURE_SCALE = TrackConfig().cut.around


def overlap(track: FaceTrack, actor: Actor, frame: int) -> float:
    box = actor.box(frame)
    assert box is not None
    return float(iou(track.boxes[frame - track.start][None], box[None]))


def same_all_along(track: FaceTrack, actor: Actor, least: float = 0.6) -> bool:
    """Whether the track is on this actor wherever it says that it sees somebody."""
    frames = (track.start + torch.nonzero(track.seen)[:, 0]).tolist()
    return all(overlap(track, actor, frame) > least for frame in frames)


def passing(actor: Actor, first: int, last: int) -> Actor:
    """A head from behind that comes down before an actor, is there from `first` to `last`, and goes up again."""

    def path(frame: int) -> tuple[float, float] | None:
        away = max(first - frame, frame - last, 0)
        place = actor.path(frame)
        return None if place is None or away > 4 else (place[0], place[1] - 36 * away)

    return Actor("hood", path)


class TestOneFace:
    def test_is_one_track_on_every_frame(self, detector: FaceDetector) -> None:
        actor = Actor("a", lambda t: (50 + 5 * t, 70 + 6 * math.sin(t / 3)))
        tracks = track_faces(film([actor], range(30)), detector)
        (track,) = tracks.tracks
        assert (tracks.width, tracks.height, tracks.frames, tracks.cuts) == (WIDTH, 144, 30, ())
        assert (track.number, track.start, track.stop) == (1, 0, 30)
        assert track.seen.all()
        assert (track.presence == 1).all()
        assert track.scores.min() > 0.7
        assert same_all_along(track, actor)
        assert abs(track.side - 49.8) < 5  # sqrt(91 * 109) / 2

    def test_its_regions_and_matrices_are_those_of_the_face(self, detector: FaceDetector) -> None:
        (track,) = track_faces(film([Actor("a", lambda t: (60 + 8 * t, 70))], range(9)), detector).tracks
        middles = track.matrices @ torch.tensor([0.5, 0.5, 1.0])  # (n, 2): of the crop, on the frame
        assert (middles - (track.boxes[:, :2] + track.boxes[:, 2:]) / 2).norm(dim=-1).max() < 8
        assert track.masks.shape == (9, 32, 32)
        assert track.masks.dtype == torch.uint8
        assert track.masks[:, 16, 16].min() > 200
        assert track.masks[:, 0].max() < 50

    def test_a_short_gap_is_bridged_in_a_straight_line(self, detector: FaceDetector) -> None:
        actor = Actor("a", lambda t: (60 + 4 * t, 70))
        (track,) = track_faces(film([actor, passing(actor, 13, 17)], range(32)), detector).tracks
        assert (track.start, track.stop) == (0, 32)
        assert not track.seen[13:18].any()
        assert track.seen[:11].all()
        assert track.seen[22:].all()
        assert (track.presence == 1).all()
        assert (track.scores[~track.seen] == 0).all()
        assert min(overlap(track, actor, frame) for frame in range(32)) > 0.6  # also where it is not seen

    def test_a_long_gap_fades_out_and_in(self, detector: FaceDetector) -> None:
        actor = Actor("a", lambda t: (80 + t, 70))
        (track,) = track_faces(film([actor, passing(actor, 12, 35)], range(48)), detector).tracks
        assert (track.start, track.stop) == (0, 48)
        assert (track.presence[~track.seen][5:-5] == 0).all()
        assert (track.presence[track.seen] == 1).all()
        assert track.presence.diff().abs().max() < 0.2

    def test_it_comes_and_goes_softly_inside_a_shot(self, detector: FaceDetector) -> None:
        visitor = Actor("a", lambda t: (-60 + 8 * t, 70))
        (track,) = track_faces(film([visitor], range(50)), detector).tracks
        assert 5 <= track.start <= 13
        assert 34 <= track.stop <= 42
        assert track.presence[0] < 0.2
        assert track.presence[-1] < 0.2
        assert track.presence[8:-8].min() == 1
        assert track.presence.diff().abs().max() < 0.2

    @pytest.mark.parametrize("frames", [1, 2, 5])
    def test_is_found_in_the_shortest_clips(self, detector: FaceDetector, frames: int) -> None:
        tracks = track_faces(film([Actor("a", lambda _: (128, 70))], range(frames)), detector)
        assert [len(track.boxes) for track in tracks.tracks] == [frames]

    def test_seen_for_a_moment_only_it_is_dropped(self, detector: FaceDetector) -> None:
        blink = Actor("a", lambda t: (128, 70) if 8 <= t < 12 else None)
        assert track_faces(film([blink], range(24)), detector).tracks == ()

    def test_given_boxes_stand_for_the_detector(self, detector: FaceDetector) -> None:
        """Only who was given is followed, on the frames with boxes and beyond; nobody is looked for besides."""
        left, right = Actor("a", lambda t: (60 + t, 70)), Actor("b", lambda t: (190 - t, 70))
        tracker = FaceTracker(detector)
        for index, frame in enumerate(film([left, right], range(8))):
            box = right.box(index)
            assert box is not None
            tracker.push(frame, box[None] if index % 4 == 0 else torch.empty(0, 4))
        (track,) = tracker.finish().tracks
        assert (track.start, track.stop) == (0, 8)
        assert same_all_along(track, right)

    def test_no_face_no_track(self, detector: FaceDetector) -> None:
        assert track_faces(film([], range(9)), detector).tracks == ()


class TestSeveralPeople:
    @pytest.mark.parametrize("front", ["a", "b"])
    def test_who_cross_keep_their_numbers(self, detector: FaceDetector, front: str) -> None:
        left = Actor("a", lambda t: (40 + 4.5 * t, 74))
        right = Actor("b", lambda t: (216 - 4.5 * t, 70))
        actors = [left, right] if front == "b" else [right, left]
        first, second = track_faces(film(actors, range(40)), detector).tracks
        assert (first.number, second.number) == (1, 2)  # from left to right
        for track, actor in ((first, left), (second, right)):
            assert (track.start, track.stop) == (0, 40)
            assert int(track.seen.sum()) >= 30
            assert overlap(track, actor, 0) > 0.6
            assert overlap(track, actor, 39) > 0.6
            assert same_all_along(track, actor, 0.4)  # half hidden, a box may be smaller

    @pytest.mark.parametrize("front", ["a", "b"])
    def test_who_meet_and_turn_back_keep_their_numbers(self, detector: FaceDetector, front: str) -> None:
        """Here motion alone would swap them."""
        left = Actor("a", lambda t: (128 - 4.4 * abs(t - 20) + 8, 74))
        right = Actor("b", lambda t: (128 + 4.4 * abs(t - 20) - 8, 70))
        actors = [left, right] if front == "b" else [right, left]
        first, second = track_faces(film(actors, range(41)), detector).tracks
        for track, actor in ((first, left), (second, right)):
            assert overlap(track, actor, 0) > 0.6
            assert overlap(track, actor, 40) > 0.6
            assert same_all_along(track, actor, 0.3)

    def test_another_person_at_the_same_place_is_another_track(self, detector: FaceDetector) -> None:
        first = Actor("a", lambda t: (120, 70) if t < 25 else None)
        second = Actor("b", lambda t: (124, 70) if t >= 33 else None)
        tracks = track_faces(film([first, second], range(60)), detector).tracks
        assert [(t.number, t.start <= 37, t.stop) for t in tracks] == [(1, True, 25), (2, True, 60)]

    def test_who_dissolves_into_somebody_else_is_two_tracks(self, detector: FaceDetector) -> None:
        one, other = (film([Actor(who, lambda _: (128, 70))], range(60)) for who in "ab")
        shares = [min(max((t - 24) / 12, 0), 1) for t in range(60)]
        frames = [a * (1 - share) + b * share for a, b, share in zip(one, other, shares, strict=True)]
        tracks = track_faces(frames, detector)
        assert len(tracks.tracks) == 2
        assert tracks.cuts == ()
        assert 24 <= tracks.tracks[1].start <= 40


class TestShots:
    def test_tracks_do_not_cross_a_cut(self, detector: FaceDetector) -> None:
        actor = Actor("a", lambda t: (120 + t, 70))
        frames = film([actor], range(15)) + film([actor], range(15, 30), ground=1)
        tracks = track_faces(frames, detector)
        assert tracks.cuts == (15,)
        assert tracks.shots == ((0, 15), (15, 30))
        assert [(t.number, t.start, t.stop) for t in tracks.tracks] == [(1, 0, 15), (2, 15, 30)]
        assert all((track.presence == 1).all() for track in tracks.tracks)  # nothing fades at cuts

    def test_a_flash_does_not_end_a_track(self, detector: FaceDetector) -> None:
        frames = film([Actor("a", lambda t: (100 + 2 * t, 70))], range(24))
        frames[10] = (frames[10] + 1.5).clamp(max=1)
        tracks = track_faces(frames, detector)
        assert tracks.cuts == ()
        assert [(t.start, t.stop) for t in tracks.tracks] == [(0, 24)]
        assert (tracks.tracks[0].presence == 1).all()


class TestTracker:
    def test_memory_is_bounded(self, detector: FaceDetector) -> None:
        """No frame outlives the wait for a cut, and none is kept where nothing happens."""
        alive: list[weakref.ref[Tensor]] = []
        tracker, most, calm = FaceTracker(detector), 0, 0
        for index in range(40):
            (frame,) = film([Actor("a", lambda t: (100 + t, 70))], range(index, index + 1), ground=index // 20)
            alive.append(weakref.ref(frame))
            tracker.push(frame)
            del frame
            count = sum(reference() is not None for reference in alive)
            most, calm = max(most, count), max(calm, count) if index < 20 else calm
        assert calm == 0
        assert 0 < most <= PICTURE_SCALE + 1
        assert tracker.finish().cuts == (20,)
        assert all(reference() is None for reference in alive)

    def test_progress_counts_frames(self, detector: FaceDetector) -> None:
        calls: list[tuple[int, int | None]] = []
        track_faces(film([], range(3)), detector, on_progress=lambda done, total: calls.append((done, total)))
        assert calls == [(1, None), (2, None), (3, None)]

    def test_frames_of_other_shapes_and_none_are_refused(self, detector: FaceDetector) -> None:
        tracker = FaceTracker(detector)
        with pytest.raises(ValueError, match="no frame"):
            tracker.finish()
        with pytest.raises(ValueError, match=r"\(3, H, W\)"):
            tracker.push(torch.zeros(1, 3, 64, 64))
        tracker.push(torch.zeros(3, 64, 64))
        with pytest.raises(ValueError, match="one size"):
            tracker.push(torch.zeros(3, 64, 80))

    @pytest.mark.parametrize("wrong", [{"every": 0}, {"sightings": 0}, {"keep": 0.0}, {"score": 1.5}])
    def test_configs_that_make_no_sense(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="needed"):
            TrackConfig(**wrong)  # type: ignore[arg-type]


def scene(name: str, frames: int) -> tuple[list[Tensor], list[Tensor]]:
    """Frames and the labelled boxes (F, 4) on each."""
    path = SCENES / f"scene_{name}.mp4"
    labels = np.load(path.with_suffix(".npz"))["boxes"][:frames]
    with open_source(path) as source:
        pixels = [frame.pixels for frame, _ in zip(source, range(frames), strict=False)]
    return pixels, [torch.from_numpy(boxes[~np.isnan(boxes[:, 0]), :4]).float() for boxes in labels]


def found(tracks: FaceTracks, labels: list[Tensor]) -> Iterator[tuple[int, int]]:
    """For each labelled face that a track is on: the frame and the number of the track."""
    for frame, boxes in enumerate(labels):
        there = tracks.at(frame)
        for box in boxes:
            common = [float(iou(track.boxes[at][None], box[None])) for track, at in there]
            if common and max(common) > 0.35:
                yield frame, there[common.index(max(common))][0].number


@pytest.mark.skipif(not SCENES.is_dir(), reason="the dev set is not beside the repository")
@pytest.mark.parametrize(
    ("name", "frames", "cuts", "people"),
    [
        ("modelscope_ClearerVoice-Studio_001", 24, (), 2),
        ("ai-forever_ghost_nggyup", 40, (29,), 2),
        ("iPERDance_iPERCore_akun_1", 40, (), 1),
        ("facebookresearch_VisualVoice_noisy_restaurant", 60, (), 1),
    ],
)
def test_real_scenes(detector: FaceDetector, name: str, frames: int, cuts: tuple[int, ...], people: int) -> None:
    """Small, turning and fast faces: one track for each person and shot, on nearly all frames that have a label."""
    pixels, labels = scene(name, frames)
    tracks = track_faces(pixels, detector)
    assert tracks.cuts == cuts
    assert len(tracks.tracks) == people
    assert len(list(found(tracks, labels))) >= 0.9 * sum(len(boxes) for boxes in labels)
