"""The nets: shapes, exact folding of batch norms, and where crops and cells lie."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.paths import LITE
from vfe.face.detect.boxes import iou, suppress
from vfe.face.detect.mirrored import detect_both, mirrored, mirrored_scores, refine_both
from vfe.face.detect.net import (
    STRIDES,
    DetectorConfig,
    FaceNet,
    FaceNetConfig,
    RefinerConfig,
    cells_of,
    decode,
    expectation,
    fold_batch_norm,
)
from vfe.face.detect.upright import apply, crop_matrices, invert, put_back, roll_of, take_crops
from vfe.face.detect.weights import load_face_net, read_face_metadata, save_face_net
from vfe.types import VFEError

SMALL = FaceNetConfig(
    detector=DetectorConfig(stem=(4, 6), widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), head=8),
    refiner=RefinerConfig(side=32, widths=(4, 6, 8, 8), head=6),
)
UPRIGHT = torch.tensor([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])


def small_net() -> FaceNet:
    """Batch norms with statistics and scales that are not 0 and 1."""
    torch.manual_seed(0)
    net = FaceNet(SMALL)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                assert value is not None
                nn.init.uniform_(value, 0.5, 2)
            for value in (module.bias, module.running_mean):
                assert value is not None
                nn.init.normal_(value)
    return net.eval()


@pytest.mark.parametrize("size", [(64, 64), (64, 192), (128, 64)])
def test_every_cell_says_score_box_and_landmarks(size: tuple[int, int]) -> None:
    cells = small_net().detector(torch.randn(2, 3, *size))
    count = sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)
    assert cells.scores.shape == (2, count)
    assert cells.boxes.shape == (2, count, 4)
    assert (cells.boxes[..., 2:] > cells.boxes[..., :2]).all()
    assert cells.landmarks.shape == (2, count, 5, 2)


def test_refiner_says_score_landmarks_and_mask() -> None:
    seen = small_net().refiner(torch.randn(3, 3, 32, 32))
    assert (seen.scores.shape, seen.landmarks.shape, seen.mask.shape) == ((3,), (3, 5, 2), (3, 32, 32))
    assert (seen.landmarks > 0).all()
    assert (seen.landmarks < 1).all()


def test_folding_changes_nothing_but_rounding() -> None:
    net = small_net().double()
    folded = fold_batch_norm(copy.deepcopy(net))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    frames, crops = torch.randn(2, 3, 64, 128).double(), torch.randn(2, 3, 32, 32).double()
    with torch.no_grad():
        pairs = zip(
            (*net.detector(frames), *net.refiner(crops)),
            (*folded.detector(frames), *folded.refiner(crops)),
            strict=True,
        )
    for before, after in pairs:
        torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)  # heads compute in float32


def test_folding_twice_is_folding_once() -> None:
    once = fold_batch_norm(small_net())
    twice = fold_batch_norm(copy.deepcopy(once))
    assert all(torch.equal(a, b) for a, b in zip(once.state_dict().values(), twice.state_dict().values(), strict=True))


def test_cells_lie_in_the_middle_of_their_pixels() -> None:
    centres, strides = cells_of(64, 128, torch.device("cpu"))
    assert centres[:2].tolist() == [[4, 4], [12, 4]]
    assert strides[:2].tolist() == [8, 8]
    assert centres[-2:].tolist() == [[32, 32], [96, 32]]
    assert strides[-2:].tolist() == [64, 64]


def test_silent_head_gives_boxes_of_four_strides() -> None:
    centres, strides = cells_of(64, 64, torch.device("cpu"))
    cells = decode(torch.zeros(1, len(centres), 15), centres, strides)
    sides = cells.boxes[0, :, 2:] - cells.boxes[0, :, :2]
    assert torch.equal(sides, (4 * strides)[:, None].expand(-1, 2))
    assert torch.equal(cells.landmarks[0], centres[:, None].expand(-1, 5, 2))


def test_the_mirror_image_of_a_frame_has_the_mirrored_answer() -> None:
    net, frames, crops = small_net(), torch.randn(2, 3, 64, 128), torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        cells, turned_cells = detect_both(net.detector, frames), detect_both(net.detector, mirrored(frames))
        seen, turned_seen = refine_both(net.refiner, crops), refine_both(net.refiner, mirrored(crops))
    torch.testing.assert_close(mirrored_scores(turned_cells.scores, 64, 128), cells.scores)
    torch.testing.assert_close(turned_seen.scores, seen.scores)
    torch.testing.assert_close(turned_seen.mask.flip(-1), seen.mask)
    torch.testing.assert_close(turned_seen.landmarks[:, 2, 0], 1 - seen.landmarks[:, 2, 0])
    torch.testing.assert_close(turned_seen.landmarks[:, [0, 3], 1], seen.landmarks[:, [1, 4], 1])


def test_scores_of_a_mirrored_frame_belong_to_mirrored_cells() -> None:
    centres, _ = cells_of(64, 192, torch.device("cpu"))
    assert torch.equal(mirrored_scores(centres[None, :, 0], 64, 192)[0], 192 - centres[:, 0])
    assert torch.equal(mirrored_scores(centres[None, :, 1], 64, 192)[0], centres[:, 1])


def test_expectation_of_a_peak_is_its_place() -> None:
    heat = torch.full((1, 1, 6, 8), -100.0)
    heat[0, 0, 2, 5] = 100
    torch.testing.assert_close(expectation(heat)[0, 0], torch.tensor([5.5 / 8, 2.5 / 6]))


@pytest.mark.parametrize(
    "config",
    [
        lambda: RefinerConfig(side=40),
        lambda: RefinerConfig(head=0),
        lambda: DetectorConfig(head=0),
        lambda: DetectorConfig(stem=(8, 10**9)),
        lambda: DetectorConfig(blocks=(1, 1, 1, 10**9)),
    ],
)
def test_impossible_nets_are_refused(config: object) -> None:
    assert callable(config)
    with pytest.raises(ValueError, match="need"):
        config()


def turned(points: Tensor, degrees: float) -> Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (points - 50) @ torch.tensor([[cos, sin], [-sin, cos]]) + 50


@pytest.mark.parametrize("degrees", [-150, -60, 0, 35, 90])
def test_roll_of_a_turned_face_is_the_turn(degrees: float) -> None:
    assert math.degrees(float(roll_of(turned(UPRIGHT, degrees)))) == pytest.approx(degrees, abs=1e-3)


@pytest.mark.parametrize("degrees", [-60, 0, 35])
def test_crops_are_upright(degrees: float) -> None:
    points = turned(UPRIGHT, degrees)
    matrices = crop_matrices(torch.tensor([[20.0, 20, 80, 100]]), roll_of(points)[None])
    seen = apply(invert(matrices), points[None])
    assert math.degrees(float(roll_of(seen[0]))) == pytest.approx(0, abs=1e-3)
    torch.testing.assert_close(apply(matrices, seen)[0], points)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 7.3])
def test_what_is_cut_out_lies_where_the_matrix_says(scale: float) -> None:
    """A frame whose colours are its coordinates: a crop of any scale shows the coordinates of its pixels."""
    y, x = torch.meshgrid(torch.arange(301) + 0.5, torch.arange(297) + 0.5, indexing="ij")
    frame = torch.stack([x, y, torch.ones_like(x)])
    side = 32 * scale / 1.7
    box = torch.tensor([[150 - side / 2, 140 - side / 2, 150 + side / 2, 140 + side / 2]])
    matrices = crop_matrices(box, torch.tensor([0.4]))
    (crop,) = take_crops(frame, matrices, 32)
    wanted = apply(matrices, (torch.tensor([[[8, 8], [16, 20], [25, 5]]]) + 0.5) / 32)[0]
    found = torch.stack([crop[:2, 8, 8], crop[:2, 20, 16], crop[:2, 5, 25]])
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.02 * scale)


def test_a_crop_is_put_back_where_it_was() -> None:
    frame = torch.zeros(3, 90, 120)
    frame[:, 30:60, 40:70] = 1
    matrices = crop_matrices(torch.tensor([[30.0, 20, 80, 70]]), torch.tensor([0.3]))
    back = put_back(take_crops(frame, matrices, 96)[0, 0], matrices[0], 90, 120)
    assert ((back > 0.5) != (frame[0] > 0.5)).float().mean() < 0.005


def test_overlaps_are_those_of_a_drawing() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 6], [5, 0, 12, 10], [20, 20, 30, 30]])
    canvas = torch.zeros(3, 40, 40, dtype=torch.bool)
    for index, (left, top, right, bottom) in enumerate(boxes.int().tolist()):
        canvas[index, top:bottom, left:right] = True
    for i in range(3):
        for j in range(3):
            common, union = (canvas[i] & canvas[j]).sum(), (canvas[i] | canvas[j]).sum()
            assert float(iou(boxes, boxes)[i, j]) == pytest.approx(float(common / union))


def test_of_doubles_the_best_stays() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]])
    assert suppress(boxes, torch.tensor([0.5, 0.9, 0.7]), 0.4).tolist() == [1, 2]


@pytest.mark.parametrize(("inside_threshold", "kept"), [(1.0, [1, 0]), (0.8, [1])])
def test_a_box_around_a_better_one_may_be_none(inside_threshold: float, kept: list[int]) -> None:
    boxes = torch.tensor([[0.0, 0, 20, 20], [5, 5, 12, 12]])
    assert suppress(boxes, torch.tensor([0.5, 0.9]), 0.4, inside_threshold).tolist() == kept


def test_a_file_gives_back_the_net(tmp_path: Path) -> None:
    net = fold_batch_norm(small_net())
    save_face_net(tmp_path / "face.safetensors", net, {"steps": 3})
    loaded = load_face_net(tmp_path / "face.safetensors", torch.device("cpu"))
    for name, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    assert read_face_metadata(tmp_path / "face.safetensors") == (SMALL, {"steps": 3})
    assert list(tmp_path.iterdir()) == [tmp_path / "face.safetensors"]


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    junk = tmp_path / "junk.safetensors"
    with pytest.raises(VFEError, match="no such file"):
        load_face_net(junk, torch.device("cpu"))
    junk.write_bytes(b"no tensors")
    with pytest.raises(VFEError, match="not a file of weights"):
        load_face_net(junk, torch.device("cpu"))
    with pytest.raises(VFEError, match="vfe-face-1"):
        load_face_net(LITE, torch.device("cpu"))


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    net = fold_batch_norm(small_net())
    net.refiner.mask = nn.Conv2d(SMALL.refiner.head, 2, 3)
    save_face_net(tmp_path / "face.safetensors", net, {})
    with pytest.raises(VFEError, match=r"refiner\.mask"):
        load_face_net(tmp_path / "face.safetensors", torch.device("cpu"))
