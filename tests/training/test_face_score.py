"""How the face net is scored, and what it is shown of its own mistakes: by drawings whose answers are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.face_set import write_face_set
from training.face.batches import FACE_WITH_LANDMARKS, NO_FACE, FaceBatch
from training.face.mining import mine
from training.face.score import (
    FaceScores,
    SceneScores,
    best_match,
    landmark_error,
    mask_iou,
    measure_speed,
    scene_frames,
    score_scene_frame,
    speed_frames,
)
from training.face.show import draw_box, tile, write_found
from training.face.targets import assign
from vfe.face.detect.detector import CloseFace, Face, FaceDetector
from vfe.face.detect.net import Cells, FaceNet, FaceNetConfig, cells_of, fold_batch_norm

CPU = torch.device("cpu")


class Told(FaceDetector):
    """A detector that finds what it is told."""

    def __init__(self, boxes: list[list[float]]) -> None:
        super().__init__(FaceNet(FaceNetConfig()))
        self.faces = [face(box) for box in boxes]
        self.looks = 0

    def detect(self, frame: Tensor) -> list[Face]:  # noqa: ARG002
        self.looks += 1
        return self.faces

    def follow(self, frame: Tensor, faces: object) -> list[CloseFace]:  # noqa: ARG002
        matrix = torch.tensor([[80.0, 0, 0], [0, 80, 0]])
        return [CloseFace(known, torch.ones(96, 96), matrix) for known in self.faces]


def face(box: list[float]) -> Face:
    return Face(torch.tensor(box), 0.9, torch.zeros(5, 2))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], SceneScores(1, 0, 0, 0)),
        ([[0.0, 0, 60, 60]], SceneScores(1, 1, 0, 0)),
        ([[10.0, 0, 70, 60]], SceneScores(1, 1, 0, 0)),  # overlap 5/7
        ([[40.0, 0, 100, 60]], SceneScores(1, 0, 1, 1)),  # overlap 1/5
        ([[0.0, 0, 60, 60], [1.0, 0, 61, 60]], SceneScores(1, 1, 1, 1)),  # a double
        ([[200.0, 0, 230, 30]], SceneScores(1, 0, 0, 0)),  # labelled, but small
        ([[300.0, 0, 330, 30]], SceneScores(1, 0, 1, 0)),  # wrong, but small
    ],
)
def test_boxes_are_counted(found: list[list[float]], wanted: SceneScores) -> None:
    known = torch.tensor([[0.0, 0, 60, 60], [200, 0, 230, 30]])
    assert score_scene_frame(Told(found), torch.zeros(3, 64, 400), known) == wanted


def test_recall_and_precision_are_shares() -> None:
    scores = FaceScores(SceneScores(wanted=10, found=8, false=2, false_large=0), [0.1, 0.3], [0.9], [0.8], 1)
    assert scores.recall == 0.8
    assert scores.precision == 0.8
    figures = scores.figures()
    assert figures["precision_large"] == 1
    assert figures["landmarks"] == pytest.approx(0.2)
    better = FaceScores(SceneScores(10, 9, 2, 0), [0.1, 0.3], [0.9], [0.8], 1)
    assert better.total > scores.total


def test_landmark_errors_are_in_eye_distances() -> None:
    known = torch.tensor([[0.0, 0], [50, 0], [25, 30], [5, 50], [45, 50]])
    assert landmark_error(known + torch.tensor([3.0, 4.0]), known) == pytest.approx(0.1)


def test_masks_are_compared_at_the_size_of_the_frame() -> None:
    known = torch.zeros(4, 4)
    known[:2] = 1
    found = torch.zeros(40, 40)
    found[:30] = 0.9
    assert mask_iou(found, known) == pytest.approx(2 / 3)


def test_the_best_match_overlaps_most() -> None:
    box = torch.tensor([0.0, 0, 10, 10])
    near, far = face([1.0, 0, 11, 10]), face([4.0, 0, 14, 10])
    matched, overlap = best_match([far, near], box)
    assert matched is near
    assert overlap == pytest.approx(9 / 11)
    assert best_match([], box) == (None, 0.0)
    assert best_match([face([9.0, 0, 19, 10])], box)[0] is None


def test_speed_counts_every_frame_and_detects_every_fourth() -> None:
    detector = Told([[0.0, 0, 60, 60]])
    speed = measure_speed(detector, [torch.zeros(3, 64, 96)] * 9, every=4)
    assert speed.frames == 9
    assert detector.looks == 3
    assert speed.wall > 0


def test_scenes_are_read_with_their_boxes_and_drawn(tmp_path: Path) -> None:
    root = write_face_set(tmp_path / "set")
    item = {"file": "scene_video/scene.mp4", "label": "scene_video/scene.npz"}
    frames = list(scene_frames(root, item, 2))
    assert [(frame.shape, known.shape) for frame, known in frames] == [((3, 144, 256), (2, 4))] * 2
    write_found(tmp_path / "found.png", Told([[0.0, 0, 60, 60]]), root, columns=2)
    assert (tmp_path / "found.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="no scene of 640 x 360"):
        speed_frames(root, 1)


def test_boxes_are_drawn_as_borders_within_the_frame() -> None:
    frame = torch.zeros(3, 40, 40)
    draw_box(frame, torch.tensor([-5.0, 10, 20, 30]), (1.0, 1.0, 1.0))
    assert int(frame[0].sum()) == 20 * 20 - 18 * 16
    assert tile(frame).shape == (270, 360, 3)


def test_mined_crops_are_the_surest_mistakes_and_answers() -> None:
    """Faces are white on black: what is cut out for a face is white, what is none is black."""
    frames = -torch.ones(2, 3, 128, 128)
    frames[0, :, 20:60, 16:56] = 1
    boxes = torch.zeros(2, 3, 4)
    boxes[0, 0] = torch.tensor([16.0, 20, 56, 60])
    kinds = torch.tensor([[FACE_WITH_LANDMARKS, NO_FACE, NO_FACE], [NO_FACE, NO_FACE, NO_FACE]])
    empty = torch.zeros(2, 0)
    batch = FaceBatch(frames, kinds, boxes, empty, empty, empty, empty, empty)
    centres, strides = cells_of(128, 128, CPU)
    targets = assign(boxes, kinds, centres, strides)
    half = strides[:, None] * 1.5
    cells = Cells(
        torch.randn(2, len(centres), generator=torch.Generator().manual_seed(0)),
        torch.cat([centres - half, centres + half], dim=1).expand(2, -1, -1),
        (centres[:, None] + torch.tensor([[-1.0, -1], [1, -1], [0, 0], [-1, 1], [1, 1]])).expand(2, -1, -1, -1),
    )
    mined = mine(batch, cells, targets, 32)
    assert mined.are_faces.tolist() == [False, True, False, False]
    inner = mined.crops[:, :, 10:22, 10:22].mean((1, 2, 3))
    assert float(inner[1]) > 0.9
    assert float(inner[0]) < 0
    assert not torch.equal(mined.crops[2], torch.zeros_like(mined.crops[2]))


def test_the_net_itself_can_be_scored(tmp_path: Path) -> None:
    from training.face.score import score_net

    torch.manual_seed(0)
    scores = score_net(fold_batch_norm(FaceNet(FaceNetConfig()).eval()), write_face_set(tmp_path / "set"), stride=2)
    assert scores.scenes.wanted == 4
    assert scores.missed + len(scores.landmark_errors) == 6
