"""Faces followed without knowing what comes, and restored group by group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

import vfe
from tests.support.moving_faces import Actor, film
from tests.support.tiny_lite import tiny_lite
from vfe.face.detect.detector import FaceDetector
from vfe.face.track.tracklets import centre
from vfe.live.follow import FollowConfig, Follower
from vfe.live.frame import LiveFrame, Picture
from vfe.live.gather import Gatherer
from vfe.live.group import GROUP, LiveGroup
from vfe.live.restore import GroupRestorer, LiveOptions
from vfe.pipeline.one_step import OneStepPipeline
from vfe.restore.restorer import Restorer
from vfe.types import VFEError

MOVING = Actor("a", lambda frame: (70 + 3.0 * frame, 72.0), 0.6)


@cache
def detector() -> FaceDetector:
    return FaceDetector.load()


@cache
def restorer(fidelity: float = 0.2) -> GroupRestorer:
    return GroupRestorer.of(vfe.load("lite", "cpu"), LiveOptions(fidelity=fidelity))


def picture(pixels: Tensor) -> Picture:
    return ((pixels + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy()


def pushed(actors: Sequence[Actor], frames: int, larger: int = 1) -> list[LiveGroup]:
    """What comes out of a gatherer for each frame."""
    gatherer = Gatherer(detector(), FollowConfig())
    shown = [picture(pixels) for pixels in film(actors, range(frames))]
    pictures = [one.repeat(larger, axis=0).repeat(larger, axis=1) for one in shown]
    return [gatherer.push(LiveFrame(number, 0.0, one)) for number, one in enumerate(pictures)]


@pytest.mark.parametrize("larger", [1, 4])
def test_a_moving_face_is_followed(larger: int) -> None:
    """Also in frames that are larger than those that are looked at."""
    for number, group in enumerate(pushed([MOVING], 9, larger)):
        (face,) = group.faces
        box = MOVING.box(number)
        assert box is not None
        off = (centre(face.track.boxes[-1]) - larger * centre(box)).norm()
        assert off < 8 * larger
        assert face.frames == min(number + 1, GROUP)
        assert len(group.frames) == min(number + 1, GROUP)


def test_a_face_comes_in_gradually() -> None:
    group = pushed([MOVING], 9)[-1]
    presence = group.faces[0].track.presence
    assert torch.allclose(presence, (torch.arange(1, 10) / 6).clamp(max=1))


def test_a_face_that_comes_later_and_goes_is_followed_meanwhile() -> None:
    guest = Actor("a", lambda frame: (128.0, 72.0) if 6 <= frame < 16 else None, 0.6)
    seen = [len(group.faces) for group in pushed([guest], 24)]
    assert seen[:6] == [0] * 6
    assert seen[10:16] == [1] * 6
    assert seen[18:] == [0] * 6


def test_after_a_cut_nobody_is_taken_for_somebody_else() -> None:
    first = film([Actor("a", lambda _: (60.0, 72.0), 0.6)], range(6))
    second = film([Actor("b", lambda _: (190.0, 72.0), 0.6)], range(6), ground=1)
    follower = Follower(detector(), FollowConfig(), GROUP)
    numbers = []
    for pixels in [*first, *second]:
        follower.push(pixels)
        numbers.append([face.number for face in follower.faces])
    assert numbers[5] == [1]
    assert numbers[-1] == [2]


def test_only_the_largest_are_followed() -> None:
    small = Actor("b", lambda _: (200.0, 90.0), 0.45)
    follower = Follower(detector(), FollowConfig(most=1), GROUP)
    for pixels in film([MOVING, small], range(3)):
        follower.push(pixels)
    assert len(follower.faces) == 1
    assert float(follower.faces[0].sightings[-1].face.box[0]) < 120


def test_memory_of_a_face_is_bounded() -> None:
    follower = Follower(detector(), FollowConfig(), 2)
    (still,) = film([MOVING], range(1))
    for _ in range(30):
        follower.push(still)
    assert len(follower.faces[0].sightings) == 14


def test_a_stream_may_change_its_size() -> None:
    gatherer = Gatherer(detector(), FollowConfig())
    (small,) = film([MOVING], range(1))
    gatherer.push(LiveFrame(0, 0.0, picture(small)))
    large = picture(small).repeat(2, axis=0).repeat(2, axis=1)
    group = gatherer.push(LiveFrame(1, 0.0, large))
    assert [frame.number for frame in group.frames] == [1]
    assert len(group.faces) == 1


def test_frames_too_small_for_faces_pass() -> None:
    group = Gatherer(detector(), FollowConfig()).push(LiveFrame(0, 0.0, np.zeros((16, 16, 3), np.uint8)))
    assert group.faces == ()


@pytest.mark.slow
def test_the_face_changes_and_nothing_else() -> None:
    group = pushed([MOVING], 10, larger=2)[-1]
    shown = restorer().restore(group)
    assert [one.frame.number for one in shown] == [6, 7, 8, 9]
    for one in shown:
        changed = (one.restored != one.frame.picture).any(-1)
        box = MOVING.box(one.frame.number)
        assert box is not None
        left, top, right, bottom = (2 * box).int().tolist()
        inside = np.zeros_like(changed)
        inside[max(top - 60, 0) : bottom + 60, max(left - 60, 0) : right + 60] = True
        assert changed[top:bottom, left:right].mean() > 0.5
        assert not changed[~inside].any()


@pytest.mark.slow
def test_a_grey_face_stays_grey() -> None:
    """As cameras see by infrared at night."""
    grey = [pixels.mean(0, keepdim=True).expand(3, -1, -1) for pixels in film([MOVING], range(10))]
    gatherer = Gatherer(detector(), FollowConfig())
    shown = [picture(pixels).repeat(2, axis=0).repeat(2, axis=1) for pixels in grey]
    group = [gatherer.push(LiveFrame(number, 0.0, one)) for number, one in enumerate(shown)][-1]
    for one in restorer().restore(group):
        assert (one.restored != one.frame.picture).any()
        assert (one.restored == one.restored[..., :1]).all()


def test_frames_without_faces_are_the_same() -> None:
    group = pushed([], 4)[-1]
    assert all(one.restored is one.frame.picture for one in restorer().restore(group))


@pytest.mark.slow
def test_a_group_is_restored_as_its_frames_deserve() -> None:
    """A blurred face comes nearer to the sharp one; by both parts it is sharper than by that for frames alone."""
    sharp = [picture(pixels) for pixels in film([MOVING], range(10))]
    sharp = [one.repeat(2, axis=0).repeat(2, axis=1) for one in sharp]
    blurred = [np.stack([blur(one[..., channel]) for channel in range(3)], -1) for one in sharp]
    gatherer = Gatherer(detector(), FollowConfig())
    group = [gatherer.push(LiveFrame(number, 0.0, one)) for number, one in enumerate(blurred)][-1]
    both, frames_alone = restorer().restore(group)[-1].restored, restorer(1.0).restore(group)[-1].restored
    box = MOVING.box(9)
    assert box is not None
    left, top, right, bottom = (2 * box).int().tolist()
    face = np.s_[top:bottom, left:right]
    assert detail(both[face]) > detail(frames_alone[face]) > detail(blurred[-1][face])


def blur(channel: Picture) -> Picture:
    """A channel without its finest detail."""
    pixels = torch.from_numpy(channel.copy()).float()[None, None]
    for _ in range(3):
        pixels = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(pixels, [1] * 4, mode="replicate"), 3, 1)
    return pixels[0, 0].round().byte().numpy()


def detail(part: Picture) -> float:
    """The mean step from one pixel to the next."""
    return float(np.abs(np.diff(part.astype(int), axis=1)).mean())


@pytest.mark.slow
def test_fewer_frames_than_a_group_are_restored_too() -> None:
    group = pushed([MOVING], 9)[-1]
    whole, part = restorer().restore(group), restorer().restore(group.last(2))
    assert [one.frame.number for one in part] == [7, 8]
    assert np.abs(part[0].restored.astype(int) - whole[2].restored).mean() < 2
    assert (part[1].restored != part[1].frame.picture).any()


def test_small_faces_are_left_alone() -> None:
    group = pushed([MOVING], 4)[-1]
    made = restorer()
    alone = GroupRestorer(made.frames, made.faces, LiveOptions(min_face=200))
    assert all(one.restored is one.frame.picture for one in alone.restore(group))


@pytest.mark.parametrize("corner", [(10.0, 10.0), (250.0, 140.0)])
@pytest.mark.slow
def test_faces_that_leave_the_frame(corner: tuple[float, float]) -> None:
    leaving = Actor("a", lambda frame: (128 + (corner[0] - 128) * frame / 12, 72 + (corner[1] - 72) * frame / 12), 0.6)
    for group in pushed([leaving], 12)[3::4]:
        assert len(restorer().restore(group)) == 4


def test_models_that_cannot_are_refused() -> None:
    other = Restorer(OneStepPipeline(tiny_lite()), name="mine")
    assert GroupRestorer.of(other, LiveOptions()).faces is None
    with pytest.raises(VFEError, match="mine: cannot restore live"):
        GroupRestorer.of(Restorer(object(), name="mine"), LiveOptions())  # type: ignore[arg-type]


def test_values_that_make_no_sense() -> None:
    for wrong in ({"strength": 1.5}, {"fidelity": -0.1}):
        with pytest.raises(ValueError, match="from 0 to 1"):
            LiveOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="from 1 on"):
        FollowConfig(most=0)
