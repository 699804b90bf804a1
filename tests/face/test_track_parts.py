"""What tracks are made of: gaps that are bridged, tracklets that are linked, appearance, and tracks as a value."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tests.support.moving_faces import Actor, film
from vfe.face.detect.boxes import intersection_over_smaller
from vfe.face.detect.detector import FaceDetector
from vfe.face.track.appearance import Appearance, describe, difference, mixed
from vfe.face.track.gaps import GapConfig, between, presence
from vfe.face.track.links import LinkConfig, chains
from vfe.face.track.tracklets import Tracklet
from vfe.face.track.tracks import FaceTrack, FaceTracks
from vfe.types import VFEError

pytestmark = pytest.mark.slow


class TestGaps:
    def test_values_between_sightings_are_on_lines(self) -> None:
        seen = torch.tensor([True, False, False, True, True, False, True])
        values = between(torch.tensor([[0.0], [3.0], [4.0], [8.0]]), seen)
        torch.testing.assert_close(values[:, 0], torch.tensor([0.0, 1, 2, 3, 4, 6, 8]))

    @pytest.mark.parametrize(("gap", "faded"), [(8, False), (9, True), (30, True)])
    def test_only_long_gaps_fade(self, gap: int, faded: bool) -> None:
        seen = torch.tensor([True] * 4 + [False] * gap + [True] * 4)
        shown = presence(seen, (False, False), GapConfig())
        assert bool((shown < 1).any()) == faded
        assert (shown[seen] == 1).all()
        assert torch.equal(shown, shown.flip(0))

    @pytest.mark.parametrize("inside", [(False, False), (True, False), (False, True), (True, True)])
    def test_ends_inside_a_shot_fade(self, inside: tuple[bool, bool]) -> None:
        shown = presence(torch.ones(20, dtype=torch.bool), inside, GapConfig(fade=4))
        ramp = torch.tensor([0.2, 0.4, 0.6, 0.8, 1.0])
        torch.testing.assert_close(shown[:5], ramp if inside[0] else torch.ones(5))
        torch.testing.assert_close(shown[-5:], ramp.flip(0) if inside[1] else torch.ones(5))


def tracklet(start: int, boxes: list[float], shade: float, **state: bool) -> Tracklet:
    """A face of 20 pixels whose left edge is at `boxes` from frame `start` on, all of one shade."""
    made = Tracklet(start, 0.9, Appearance(torch.full((3, 36), shade), torch.ones(36)), alone=state.get("alone", False))
    made.alone_at_end = state.get("alone_at_end", False)
    made.boxes = [torch.tensor([left, 0, left + 20, 20]) for left in boxes]
    return made


class TestLinks:
    def test_the_sum_decides_not_the_nearest(self) -> None:
        """B's own continuation is nearest to A's end too: A gets it only if B is left without."""
        a, b = tracklet(0, [0, 0, 0], 0.0), tracklet(0, [14, 14, 14], 0.03)
        near, far = tracklet(4, [8, 8], 0.03), tracklet(4, [2, 2], 0.0)
        joined = {frozenset(map(id, chain)) for chain in chains([a, b, near, far], LinkConfig())}
        assert joined == {frozenset({id(a), id(far)}), frozenset({id(b), id(near)})}

    def test_strangers_are_never_linked_but_heads_turn(self) -> None:
        before, after = tracklet(0, [0, 0], 0.0), tracklet(3, [0, 0], 0.15)
        assert len(chains([before, after], LinkConfig())) == 2
        before.alone_at_end = after.alone = True
        assert len(chains([before, after], LinkConfig(turned=2.5))) == 1
        late = tracklet(20, [0, 0], 0.15, alone=True)
        assert len(chains([before, late], LinkConfig(turned=2.5))) == 2

    def test_too_late_too_far_too_large(self) -> None:
        before, config = tracklet(0, [0, 0], 0.0), LinkConfig()
        assert len(chains([before, tracklet(3, [0, 0], 0.0)], config)) == 1
        assert len(chains([before, tracklet(3 + config.longest, [0, 0], 0.0)], config)) == 2
        assert len(chains([before, tracklet(3, [60, 60], 0.0)], config)) == 2
        large = tracklet(3, [0, 0], 0.0)
        large.boxes = [torch.tensor([-10.0, -10, 50, 50])] * 2
        assert len(chains([before, large], config)) == 2
        assert chains([], config) == []


class TestAppearance:
    def test_one_person_is_nearer_to_itself_than_to_another(self, detector: FaceDetector) -> None:
        looks = []
        for who, ground, scale in (("a", 1, 0.5), ("a", 2, 0.42), ("b", 1, 0.5)):
            (frame,) = film([Actor(who, lambda _: (80, 70), scale)], range(1), ground=ground)
            closes = detector.follow(frame, detector.detect(frame))
            looks += describe(frame, closes)
        assert difference(looks[0], looks[1]) < 0.05 < 0.15 < difference(looks[0], looks[2])
        assert difference(mixed(looks[0], looks[2], 0.0), looks[0]) == pytest.approx(0, abs=1e-6)
        assert difference(mixed(looks[0], looks[2], 1.0), looks[2]) == pytest.approx(0, abs=1e-6)
        assert describe(torch.zeros(3, 64, 64), []) == []

    def test_covered_counts_boxes_inside_of_others(self) -> None:
        boxes = torch.tensor([[0.0, 0, 10, 10], [2, 2, 4, 4], [5, 0, 15, 10], [50, 50, 60, 60]])
        torch.testing.assert_close(intersection_over_smaller(boxes[:1], boxes)[0], torch.tensor([1.0, 1.0, 0.5, 0.0]))


def made_track(number: int, start: int, frames: int, left: float = 10.0, side: float = 20.0) -> FaceTrack:
    """A face that moves by a third of a pixel a frame."""
    lefts = left + torch.arange(frames) / 3
    boxes = torch.stack([lefts, torch.full((frames,), 5.0), lefts + side, torch.full((frames,), 5 + side)], dim=1)
    unit = torch.tensor([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.8], [0.65, 0.8]])
    landmarks = boxes[:, None, :2] + unit * side
    ones = torch.ones(frames)
    return FaceTrack(
        number=number, start=start, boxes=boxes, landmarks=landmarks, scores=ones * 0.9, seen=ones.bool(),
        presence=ones, masks=torch.zeros(frames, 32, 32, dtype=torch.uint8), matrices=torch.zeros(frames, 2, 3),
    )  # fmt: skip


def made_tracks() -> FaceTracks:
    return FaceTracks(
        width=200, height=100, frames=20, cuts=(8,), tracks=(made_track(1, 0, 8), made_track(2, 9, 11, 40, 30))
    )


class TestTracks:
    def test_json_goes_both_ways(self) -> None:
        tracks = made_tracks()
        text = tracks.to_json()
        read = FaceTracks.from_json(text)
        assert read.to_json() == text
        assert (read.width, read.height, read.frames, read.cuts) == (200, 100, 20, (8,))
        for got, wanted in zip(read.tracks, tracks.tracks, strict=True):
            assert (got.number, got.start, got.stop) == (wanted.number, wanted.start, wanted.stop)
            torch.testing.assert_close(got.boxes, wanted.boxes, rtol=0, atol=0.0051)
            torch.testing.assert_close(got.landmarks, wanted.landmarks, rtol=0, atol=0.0051)
            assert torch.equal(got.seen, wanted.seen)
            assert torch.equal(got.presence, wanted.presence)
            assert got.masks[:, 16, 16].min() == 255
            assert got.masks[:, 0].max() == 0  # an oval instead

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"format": "x"}, "vfe-faces-1"),
            ({"width": None}, "damaged"),
            ({"faces": [{"number": 1}]}, "damaged"),
            ({"frames": 15}, "face 2"),
            ({"cuts": [12]}, "face 2"),
        ],
    )
    def test_damaged_json_is_told(self, change: dict[str, object], part: str) -> None:
        with pytest.raises(VFEError, match=part):
            FaceTracks.from_json(json.dumps(json.loads(made_tracks().to_json()) | change))

    def test_text_that_is_no_json_is_told(self) -> None:
        with pytest.raises(VFEError, match="damaged"):
            FaceTracks.from_json("{")

    def test_at_and_keep(self) -> None:
        tracks = made_tracks()
        assert [[(track.number, at) for track, at in tracks.at(frame)] for frame in (0, 8, 10)] == [
            [(1, 0)],
            [],
            [(2, 1)],
        ]
        assert [track.number for track in tracks.keep([2]).tracks] == [2]
        with pytest.raises(VFEError, match=r"no face 7: the faces are 1, 2"):
            tracks.keep([2, 7])

    def test_parts_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(ValueError, match="needed"):
            replace(made_track(1, 0, 5), scores=torch.ones(4))
        with pytest.raises(ValueError, match="matrices"):
            replace(made_track(1, 0, 5), matrices=torch.zeros(4, 2, 3))
