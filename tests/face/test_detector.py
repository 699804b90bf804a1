"""The bundled face net on pictures that it has never seen: one face at its place at any size, turn and position, none
where there is none, and the goals on the dev set."""

from __future__ import annotations

import math

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.support.paths import DEV
from training.face.robust import LabelledClip, at_level, tally, turned_head
from training.face.score import landmark_error, measure_speed, score_net
from training.face.turn import labelled
from vfe.face.detect.boxes import iou
from vfe.face.detect.detector import DetectConfig, Face, FaceDetector, box_of_mask
from vfe.face.detect.upright import unit_grid
from vfe.face.detect.weights import BUNDLED, read_face_metadata

pytestmark = pytest.mark.slow

# The astronaut's, as seen by eye: forehead to chin, and the five points.
BOX = torch.tensor([180.0, 68, 271, 177])
ASTRONAUT_LANDMARKS = torch.tensor([[203.0, 101], [247.5, 103], [226, 127], [205, 140], [244, 142.5]])


def picture(name: str = "astronaut") -> Tensor:
    """A picture of scikit-image as a frame (3, H, W) in [-1, 1]."""
    image = torch.from_numpy(getattr(skimage.data, name)().copy())
    image = image[..., None].expand(-1, -1, 3) if image.dim() == 2 else image[..., :3]
    return image.permute(2, 0, 1).float() / 127.5 - 1


def seen(scale: float = 1.0, degrees: float = 0.0, size: tuple[int, int] = (360, 480)) -> tuple[Tensor, Tensor]:
    """The astronaut with the nose in the middle of a frame of `size`, and the landmarks there."""
    height, width = size
    angle = math.radians(degrees)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle, nose = torch.tensor([width / 2, height / 2]), ASTRONAUT_LANDMARKS[2]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    places = (torch.stack([x, y], -1) - middle) @ turn / scale + nose  # row vectors: the transpose turns back
    whole = picture()
    blurred = (
        whole if scale >= 1 else F.interpolate(whole[None], scale_factor=scale, antialias=True, mode="bilinear")[0]
    )
    frame = F.grid_sample(blurred[None], places[None] / 512 * 2 - 1, align_corners=False)[0]
    return frame, (ASTRONAUT_LANDMARKS - nose) @ turn.T * scale + middle


def same(face: Face, landmarks: Tensor) -> bool:
    return landmark_error(face.landmarks, landmarks) < 0.12


def test_the_file_is_small_and_says_how_it_was_made() -> None:
    config, facts = read_face_metadata(BUNDLED)
    assert BUNDLED.stat().st_size <= 3_000_000
    assert config.refiner.side == 96
    assert facts["command"].startswith("python -m training.train training/configs/face_net.yaml")
    assert facts["run"]["album"]["open_only"] is True
    assert "root" not in facts["run"]["album"]
    assert len(facts["data_sha256"]) == 64
    assert facts["steps"] > 0
    assert facts["seed"] == 0


def test_the_astronaut_is_found_where_she_is(detector: FaceDetector) -> None:
    (face,) = detector.detect(picture())
    assert float(iou(face.box[None], BOX[None])) > 0.75
    assert landmark_error(face.landmarks, ASTRONAUT_LANDMARKS) < 0.08
    assert face.score > 0.7


@pytest.mark.parametrize("scale", [0.25, 0.4, 0.7, 1.5, 2.5])
def test_at_any_size(detector: FaceDetector, scale: float) -> None:
    frame, landmarks = seen(scale)
    (face,) = detector.detect(frame)
    assert same(face, landmarks)


@pytest.mark.parametrize("side", [130, 400, 900])
def test_where_she_fills_the_frame(detector: FaceDetector, side: int) -> None:
    frame, landmarks = seen(side / 130, size=(side, side))
    (face,) = detector.detect(frame)
    assert same(face, landmarks)


@pytest.mark.parametrize("degrees", [-45, -20, 20, 45])
def test_at_any_turn(detector: FaceDetector, degrees: float) -> None:
    frame, landmarks = seen(0.8, degrees)
    (face,) = detector.detect(frame)
    assert same(face, landmarks)


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_at_any_place(detector: FaceDetector, corner: tuple[int, int]) -> None:
    part, landmarks = seen(0.8, size=(150, 150))
    frame = torch.zeros(3, 270, 480)
    top, left = corner[0] * 120, corner[1] * 330
    frame[:, top : top + 150, left : left + 150] = part
    (face,) = detector.detect(frame)
    assert same(face, landmarks + torch.tensor([left, top]))


def test_several_at_once_best_first(detector: FaceDetector) -> None:
    small, large = seen(0.5, size=(200, 160))[0], seen(1.2, size=(200, 240))[0]
    faces = detector.detect(torch.cat([small, large, small], dim=2))
    noses = torch.stack([face.landmarks[2, 0] for face in faces]).sort().values
    torch.testing.assert_close(noses, torch.tensor([80.0, 280, 480]), rtol=0, atol=6)
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


def turned_portrait(degrees: float) -> LabelledClip:
    """The astronaut, who looks at the viewer, with her head turned to the side, her face half as high as the frame."""
    left, top, side = 116, 22, 220
    part = torch.from_numpy(skimage.data.astronaut()[top : top + side, left : left + side].copy())
    corner = torch.tensor([left, top])
    middle, half = (BOX[:2] + BOX[2:]) / 2 - corner, (BOX[2:] - BOX[:2]) * 0.545
    oval = ((unit_grid(96, torch.device("cpu")) * side - middle) / half).square().sum(-1) < 1
    portrait = labelled(part.permute(2, 0, 1).float(), oval.byte(), (ASTRONAUT_LANDMARKS - corner).numpy())
    return turned_head(portrait, degrees)


@pytest.mark.parametrize(
    ("degrees", "level"),
    [(30, "clean"), (60, "clean"), (60, "mild"), (40, "medium"), (50, "medium"), (60, "medium")],
)
def test_with_the_head_turned_and_the_picture_bad(detector: FaceDetector, degrees: float, level: str) -> None:
    shown = turned_portrait(degrees)
    assert tally(detector, shown._replace(frames=at_level(shown.frames, level, 0)), 1).found == 1


@pytest.mark.parametrize("side", [32, 33, 50, 97])
def test_frames_from_32_pixels_on(detector: FaceDetector, side: int) -> None:
    frame, landmarks = seen(side / 150, size=(side, side))
    (face,) = detector.detect(frame)
    assert landmark_error(face.landmarks, landmarks) < 0.2


@pytest.mark.parametrize("name", ["coffee", "brick", "gravel", "horse", "hubble_deep_field", "immunohistochemistry"])
def test_nothing_is_found_where_nothing_is(detector: FaceDetector, name: str) -> None:
    assert detector.detect(picture(name)) == []


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_nothing_is_found_in_nothing(detector: FaceDetector, level: float) -> None:
    assert detector.detect(torch.full((3, 90, 160), level)) == []
    noise = torch.randn(3, 90, 160, generator=torch.Generator().manual_seed(0)) * 0.3 + level / 2
    assert detector.detect(noise.clamp(-1, 1)) == []


def test_a_batch_is_its_frames(detector: FaceDetector) -> None:
    frames = torch.stack([seen(scale, size=(180, 320))[0] for scale in (0.5, 0.9)])
    for frame, batched in zip(frames, detector.detect_batch(frames), strict=True):
        for alone, together in zip(detector.detect(frame), batched, strict=True):
            torch.testing.assert_close(alone.box, together.box, rtol=0, atol=0.05)
            assert alone.score == pytest.approx(together.score, abs=1e-3)


def test_the_region_covers_the_face_and_little_else(detector: FaceDetector) -> None:
    frame = picture()
    (face,) = detector.detect(frame)
    mask = detector.mask(frame, face)
    assert mask.shape == frame.shape[1:]
    assert 0 <= mask.min()
    assert mask.max() <= 1
    for x, y in ASTRONAUT_LANDMARKS.long().tolist():
        assert mask[y, x] > 0.5
    assert mask[:45].max() < 0.5
    assert mask[200:].max() < 0.5
    assert mask[:, :155].max() < 0.5
    assert float(iou(box_of(mask)[None], BOX[None])) > 0.65


def box_of(mask: Tensor) -> Tensor:
    ys, xs = (mask > 0.5).nonzero(as_tuple=True)
    return torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()


def test_faces_are_followed_between_detections(detector: FaceDetector) -> None:
    first, _ = seen(1.0)
    faces = detector.detect(first)
    for step in range(1, 4):
        frame, landmarks = seen(1.0 + 0.02 * step, 3.0 * step)
        close = detector.follow(frame, faces)
        faces = [near.face for near in close]
        assert same(faces[0], landmarks)
    assert detector.follow(first, []) == []


def test_large_frames_are_looked_at_smaller(detector: FaceDetector) -> None:
    frame, landmarks = seen(2.0, size=(720, 1280))
    (face,) = detector.detect(frame)
    assert same(face, landmarks)
    coarse = FaceDetector(detector.net, DetectConfig(longest=256))
    (face,) = coarse.detect(frame)
    assert same(face, landmarks)


def test_the_box_of_a_region_is_the_face_in_it() -> None:
    """A region with the labels' margins around a box of 40 x 50 in a crop of 100 pixels."""
    matrix = torch.tensor([[100.0, 0, 10], [0, 100, 20]])
    x, y = unit_grid(400, torch.device("cpu")).unbind(-1)
    left, top, right, bottom = 0.3 - 0.098 * 0.4, 0.2 - 0.08 * 0.5, 0.7 + 0.102 * 0.4, 0.7 + 0.085 * 0.5
    mask = ((x > left) & (x < right) & (y > top) & (y < bottom)).float()
    box = box_of_mask(mask, matrix, torch.zeros(4))
    torch.testing.assert_close(box, torch.tensor([40.0, 40, 80, 90]), rtol=0, atol=0.5)
    assert torch.equal(box_of_mask(torch.zeros(400, 400), matrix, torch.ones(4)), torch.ones(4))


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 31, 64), (3, 64), (2, 3, 64, 64)])
def test_other_shapes_are_refused(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needed"):
        detector.detect(torch.zeros(shape))


def test_bytes_are_refused(detector: FaceDetector) -> None:
    with pytest.raises(ValueError, match="floats"):
        detector.detect(torch.zeros(3, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize("values", [{"longest": 16}, {"score": 0.0}, {"iou_threshold": 1.0}, {"most_faces": 0}])
def test_impossible_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"needed|in"):
        DetectConfig(**values)  # type: ignore[arg-type]


@pytest.mark.skipif(not DEV.is_dir(), reason="the dev set is not beside the repository")
def test_the_goals_on_the_dev_set_are_reached(detector: FaceDetector) -> None:
    scores = score_net(detector.net, DEV, stride=16)
    figures = scores.figures()
    assert scores.recall >= 0.9, scores.scenes
    assert scores.precision >= 0.9, scores.scenes
    assert figures["landmarks"] <= 0.08, figures
    assert figures["mask_iou"] >= 0.85, figures
    assert scores.missed <= 0.02 * len(scores.landmark_errors)  # what is not found has no landmarks to err


def test_what_a_frame_costs(detector: FaceDetector) -> None:
    """In arithmetic, which is the same everywhere; `python -m training.face.score` measures the seconds."""
    frame = F.interpolate(picture()[None], size=(360, 640), mode="bilinear")[0]
    with FlopCounterMode(display=False) as counter:
        measure_speed(detector, [frame] * 4)
    assert counter.get_total_flops() / 4 < 1.8e9
