"""Whose face a clip is of."""

from __future__ import annotations

import torch

from tests.support.still_track import track
from vfe.curation.config import ClipConfig
from vfe.curation.steady import SteadyFace, steady_face
from vfe.curation.window import Rejected
from vfe.face.track.tracks import FaceTrack, FaceTracks
from vfe.types import Stretch

STRETCH = Stretch(10, 30)


def chosen(*tracks: FaceTrack, near: tuple[float, float, float, float] | None = None) -> SteadyFace | Rejected:
    found = FaceTracks(width=320, height=180, frames=40, cuts=(), tracks=tracks)
    return steady_face(found, STRETCH, near, ClipConfig(least_face=10))


def left_of(face: SteadyFace | Rejected) -> float:
    assert isinstance(face, SteadyFace), face
    return float(face.boxes[0, 0])


def test_the_largest_face_that_stays_is_taken() -> None:
    assert left_of(chosen(track(1, 0, 40, 10), track(2, 0, 40, 100, side=70), track(3, 25, 15, 200, side=99))) == 100


def test_a_crop_list_chooses_the_face_that_it_means() -> None:
    faces = track(1, 0, 40, 10), track(2, 0, 40, 100, side=70)
    assert left_of(chosen(*faces, near=(0, 0, 80, 90))) == 10
    assert chosen(*faces, near=(250, 0, 320, 90)) == Rejected("no face where the crop list has one")


def test_a_face_that_is_seen_too_seldom_is_none() -> None:
    assert chosen(track(1, 12, 28, 10)) == Rejected("no steady face: the steadiest is seen on 18 of 20 frames")
    assert chosen(track(1, 0, 40, 10, unseen=12)) == Rejected(
        "no steady face: the steadiest is seen on 18 of 20 frames"
    )
    assert chosen(track(1, 30, 10, 10)) == Rejected("no face")


def test_before_a_track_begins_the_face_is_where_it_will_be() -> None:
    face = chosen(track(1, 11, 29, 10))
    assert isinstance(face, SteadyFace)
    assert len(face.boxes) == 20
    assert face.seen.tolist() == [False] + [True] * 19
    assert float(face.scores[0]) == 0
    assert torch.equal(face.boxes[0], face.boxes[1])
