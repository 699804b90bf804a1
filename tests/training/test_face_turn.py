"""Heads turned to the side by a plain model, and degraded copies: what the face net is trained and judged on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.face_set import SIDE, write_face_set
from training.face.pictures import AlbumConfig, Picture, read_manifest, read_portrait
from training.face.robust import YAW_DEGREES, Tally, at_level, tally, tally_degraded, tally_turned, turned_head
from training.face.turn import HEAD_HALF, across_head, look_up, mirrored, turned, yaw_of
from vfe.face.detect.detector import Face, FaceDetector
from vfe.face.detect.net import FaceNet, FaceNetConfig


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """A drawn face that looks straight ahead."""
    root = write_face_set(tmp_path_factory.mktemp("turn") / "set")
    return read_portrait(root, read_manifest(root)[1], 1)[0]


def landmarks_of(picture: Picture) -> np.ndarray:
    landmarks = picture.faces[0].landmarks
    assert landmarks is not None
    return landmarks


def known_head(yaw: float) -> np.ndarray:
    """Five points of the model's head, as it is seen from straight ahead when it looks to `yaw`."""
    eye, mouth = 0.42, 0.36
    z_eye = HEAD_HALF[1] * math.sqrt(1 - (eye / HEAD_HALF[0]) ** 2)
    z_mouth = HEAD_HALF[1] * math.sqrt(1 - (mouth / HEAD_HALF[0]) ** 2)
    nose = HEAD_HALF[1] + 0.3
    points = [(-eye, 0.0, z_eye), (eye, 0.0, z_eye), (0.0, 0.62, nose), (-mouth, 1.0, z_mouth), (mouth, 1.0, z_mouth)]
    return np.array([[x * math.cos(yaw) + z * math.sin(yaw), y] for x, y, z in points], np.float32) * 40 + 64


@pytest.mark.parametrize("degrees", [-50, -20, 0, 20, 50])
def test_the_turn_of_a_head_is_seen_by_its_nose(degrees: float) -> None:
    assert math.degrees(yaw_of(known_head(math.radians(degrees)))) == pytest.approx(degrees, abs=8)


def test_a_head_that_is_not_turned_stays_as_it_is(portrait: Picture) -> None:
    same = turned(portrait, 0.0)
    np.testing.assert_allclose(landmarks_of(same), landmarks_of(portrait), atol=1.0)
    np.testing.assert_allclose(same.faces[0].box, portrait.faces[0].box, atol=3)
    assert (same.levels[0].float() - portrait.levels[0].float()).abs().mean() < 6


@pytest.mark.parametrize("degrees", [30, 50, 70])
def test_a_turned_head_is_labelled_as_it_looks(portrait: Picture, degrees: float) -> None:
    """The eyes of the drawn face are its darkest spots: the nearer one stays under its label."""
    head = turned(portrait, math.radians(degrees))
    points = landmarks_of(head)
    assert math.degrees(abs(yaw_of(points))) == pytest.approx(degrees, abs=22)
    before, after = landmarks_of(portrait), points
    assert after[1, 0] - after[0, 0] < 0.95 * math.cos(math.radians(degrees / 2)) * (before[1, 0] - before[0, 0])
    near = int(points[2, 0] < points[:2, 0].mean())  # the eye on the side that the nose has left
    x, y = points[near]
    assert float(head.levels[0][:, int(y), int(x)].float().mean()) < 100
    box = head.faces[0].box
    assert box[2] - box[0] < portrait.faces[0].box[2] - portrait.faces[0].box[0]
    assert head.mask is not None
    assert head.mask.shape == (96, 96)


def test_left_and_right_are_alike(portrait: Picture) -> None:
    """A head that looks to the left is turned further to the left."""
    head = turned(portrait, math.radians(40))
    other = turned(mirrored(head), math.radians(60))
    assert yaw_of(landmarks_of(other)) * yaw_of(landmarks_of(head)) < 0
    twice = mirrored(mirrored(portrait))
    np.testing.assert_allclose(landmarks_of(twice), landmarks_of(portrait), atol=1e-4)
    np.testing.assert_allclose(twice.faces[0].box, portrait.faces[0].box, atol=1e-4)
    assert torch.equal(twice.levels[0], portrait.levels[0])


def test_what_is_behind_a_nose_is_not_looked_up() -> None:
    keys = torch.tensor([[0.0, 2, 1, 3]])
    values = torch.tensor([[0.0, 20, 99, 30]])
    before, inside, behind, after = look_up(keys, values, torch.tensor([[-1.0, 1, 2.5, 4]]))[0].tolist()
    assert (before, inside, after) == pytest.approx((-1, 10, 31), abs=1e-3)
    assert 20 < behind < 100


def test_points_across_a_head_turn_as_a_solid_does() -> None:
    """Above the nose and within the jaw: an ellipse, seen from two sides."""
    across = across_head(torch.tensor([-0.9]), 0.0, math.radians(40))
    front = across.angles.abs() < math.radians(45)
    x, z = HEAD_HALF[0] * across.angles.sin(), HEAD_HALF[1] * across.angles.cos()
    tall = math.sqrt(1 - (0.9 / 1.75) ** 6)
    wanted = tall * (x * math.cos(math.radians(40)) + z * math.sin(math.radians(40)))
    torch.testing.assert_close(across.before[0][front], tall * x[front], atol=1e-3, rtol=0)
    torch.testing.assert_close(across.after[0][front], wanted[front], atol=1e-3, rtol=0)


@pytest.mark.parametrize("yaw", [-0.1, 1.5, float("nan")])
def test_the_back_of_a_head_is_refused(portrait: Picture, yaw: float) -> None:
    with pytest.raises(ValueError, match="needed is an angle"):
        turned(portrait, yaw)


@pytest.mark.parametrize("values", [{"turns": (30.0, 20.0)}, {"turns": (0.0, 90.0)}, {"clip_weight": 0}])
def test_impossible_albums_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="needed are"):
        AlbumConfig(root="", **values)  # type: ignore[arg-type]


def test_drawn_faces_are_as_large_as_the_set_says(portrait: Picture) -> None:
    assert portrait.width == SIDE


class Everything(FaceDetector):
    """A detector that takes the middle half of a frame for a face, and its first corner."""

    def __init__(self) -> None:
        super().__init__(FaceNet(FaceNetConfig()))

    def detect(self, frame: Tensor) -> list[Face]:
        height, width = frame.shape[-2:]
        middle = torch.tensor([0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height])
        return [Face(middle, 0.9, torch.zeros(5, 2)), Face(middle / 8, 0.6, torch.zeros(5, 2))]


@pytest.mark.slow
def test_what_is_found_at_each_level_and_angle_is_counted(tmp_path: Path) -> None:
    """Four portraits, and two of the four frames of a clip."""
    root = write_face_set(tmp_path / "set")
    degraded = tally_degraded(Everything(), root, 2)
    assert list(degraded) == ["clean", "mild", "medium", "severe"]
    assert all((total.wanted, total.found, total.false) == (6, 6, 6) for total in degraded.values())
    heads = tally_turned(Everything(), root)
    assert len(heads) == len(YAW_DEGREES) * 4
    assert all(total.wanted == 5 for total in heads.values())
    assert heads[0, "clean"].recall == 1.0
    assert "5 wrong" in str(heads[0, "clean"])


def test_levels_only_make_pictures_worse(portrait: Picture) -> None:
    shown = turned_head(portrait, 30)
    assert shown.frames.shape == (1, 3, 224, 224)
    tall, wide = float(shown.boxes[0, 3] - shown.boxes[0, 1]), float(shown.boxes[0, 2] - shown.boxes[0, 0])
    assert tall == pytest.approx(112, abs=1)
    assert wide < tall
    assert at_level(shown.frames, "clean", 0) is shown.frames
    off = [(at_level(shown.frames, level, 0).float() - shown.frames).abs().mean() for level in ("mild", "severe")]
    assert 0.5 < off[0] < off[1] < 40


def test_a_face_that_is_not_found_is_counted_as_missed(portrait: Picture) -> None:
    shown = turned_head(portrait, 0)
    far = shown._replace(boxes=torch.tensor([[0.0, 0, 20, 20]]))
    assert tally(Everything(), far, 1) == Tally(wanted=1, found=0, false=2)
