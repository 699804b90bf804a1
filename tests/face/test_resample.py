"""Laws of crop boxes_of_crops, which follow faces smoothly, and of crops, which lose nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from vfe.face.paste.crop_box import CropBox, CropConfig, crop_boxes, crop_side, smoothed
from vfe.face.paste.resample import box_area, put_crop, take_crop


def ramp(height: int, width: int) -> Tensor:
    """(2, H, W): x and y of each pixel's centre."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y])


def test_steady_motion_is_followed_exactly_and_jitter_is_not() -> None:
    boxes = moving_boxes(40, (20, 30, 60, 80), (1.5, -0.3))
    boxes_of_crops = crop_boxes(track_of(boxes), CropConfig(smooth=3))
    middles = boxes_of_crops.corners + boxes_of_crops.sizes[:, None] / 2
    assert torch.allclose(middles, ((boxes[:, :2] + boxes[:, 2:]) / 2).double(), atol=1e-4)
    assert torch.allclose(boxes_of_crops.sizes, torch.tensor(1.75 * (40 * 50) ** 0.5).double())
    jitter = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).repeat(1, 2)
    shaken = crop_boxes(track_of(boxes + jitter), CropConfig(smooth=3))
    assert (shaken.corners - boxes_of_crops.corners).diff(dim=0).abs().mean() < 0.1 * jitter.diff(dim=0).abs().mean()


@pytest.mark.parametrize("period", [12, 20, 40])
def test_a_face_that_dances_stays_within_its_window(period: int) -> None:
    """Its middle is never off by more than a tenth of the side, and the box still moves smoothly."""
    sway = 20 * torch.sin(torch.arange(60) * (2 * torch.pi / period))
    boxes = moving_boxes(60, (100, 30, 130, 60)) + sway[:, None] * torch.tensor([1, 0.3, 1, 0.3])
    boxes_of_crops = crop_boxes(track_of(boxes))
    off = boxes_of_crops.corners + boxes_of_crops.sizes[:, None] / 2 - (boxes[:, :2] + boxes[:, 2:]) / 2
    assert off.abs().max() < 0.1 * boxes_of_crops.sizes.min()
    assert boxes_of_crops.corners.diff(dim=0).abs().max() <= boxes.diff(dim=0).abs().max() * 1.05


def test_sizes_are_steadier_than_places() -> None:
    grown = moving_boxes(60, (20, 30, 60, 80))
    grown[30:] += torch.tensor([-10.0, -10, 10, 10]) + 10
    boxes_of_crops = crop_boxes(track_of(grown))
    share = boxes_of_crops.sizes.diff().abs().max() / (boxes_of_crops.sizes[-1] - boxes_of_crops.sizes[0])
    middles = (boxes_of_crops.corners + boxes_of_crops.sizes[:, None] / 2)[:, 0]
    assert share < 0.5 * middles.diff().abs().max() / (middles[-1] - middles[0])


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_smoothing_keeps_lines_and_no_spread_keeps_all(length: int) -> None:
    line = 3 + 2 * torch.arange(length).double()
    assert torch.allclose(smoothed(line, 4.0), line)
    noise = torch.randn(length, 2, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(smoothed(noise, 0), noise.double())
    assert smoothed(noise, 4.0).shape == noise.shape


@pytest.mark.parametrize(
    ("largest", "least", "side"),
    [
        (20, 256, 128),
        (70, 256, 192),
        (128, 256, 256),
        (256, 256, 256),
        (257, 256, 320),
        (90, 0, 128),
        (3000, 256, 1024),
    ],
)
def test_crops_are_large_enough_and_small_faces_enlarged(largest: float, least: int, side: int) -> None:
    assert crop_side(largest, least) == side


def test_a_window_on_whole_pixels_is_the_frame_itself() -> None:
    frame = torch.rand(3, 50, 60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(take_crop(frame, CropBox(7, 11, 32), 32), frame[:, 11:43, 7:39])
    area, back = put_crop(frame[:, 11:43, 7:39], CropBox(7, 11, 32), 50, 60)
    assert tuple(area) == (11, 43, 7, 39)
    assert torch.equal(back, frame[:, 11:43, 7:39])


@pytest.mark.parametrize("side", [16, 64, 128])
def test_crops_take_the_very_place(side: int) -> None:
    """Interpolation is exact for ramps, enlarging and shrinking: no crop is off by a part of a pixel."""
    box = CropBox(20.3, 31.7, 40.9)
    crop = take_crop(ramp(120, 110), box, side)
    expected = ramp(side, side) * box.size / side + torch.tensor([box.left, box.top])[:, None, None]
    assert torch.allclose(crop, expected, atol=0.01)
    area, back = put_crop(crop, box, 120, 110)
    rows, columns = area.slices
    assert torch.allclose(back[:, 8:-8, 8:-8], ramp(120, 110)[:, rows, columns][:, 8:-8, 8:-8], atol=0.01)


def test_the_border_goes_on_beyond_the_frame() -> None:
    frame = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0))
    crop = take_crop(frame, CropBox(-16, 20, 32), 32)
    assert torch.equal(crop[:, :20, 16:], frame[:, 20:, :16])
    assert torch.equal(crop[:, :20, :16], frame[:, 20:, :1].expand(-1, -1, 16))
    assert torch.equal(crop[:, 20:, 16:], frame[:, -1:, :16].expand(-1, 12, -1))
    outside = take_crop(frame, CropBox(100, -200, 16), 16)
    assert torch.allclose(outside, frame[:, :1, -1:].expand(-1, 16, 16))
    assert box_area(CropBox(100, -200, 16), 40, 30) == (0, 0, 30, 30)
    assert put_crop(outside, CropBox(100, -200, 16), 40, 30)[1].shape == (3, 0, 0)


def test_shrinking_does_not_alias() -> None:
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    board = ((x + y) % 2).float()[None]
    inner = take_crop(board, CropBox(0, 0, 96), 32)[:, 4:-4, 4:-4]
    assert (inner - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("box", [CropBox(3.4, 5.6, 10), CropBox(-4.5, 2.5, 9), CropBox(20, 20, 30.2)])
def test_the_pixels_of_a_window_are_those_whose_centres_it_has(box: CropBox) -> None:
    area = box_area(box, 32, 40)
    inside = (ramp(32, 40) >= torch.tensor([box.left, box.top])[:, None, None]) & (
        ramp(32, 40) < torch.tensor([box.left, box.top])[:, None, None] + box.size
    )
    found = torch.zeros(32, 40, dtype=torch.bool)
    found[area.slices] = True
    assert torch.equal(found, inside.all(0))


@pytest.mark.parametrize("wrong", [{"margin": 0.5}, {"smooth": -1}, {"side": 100}, {"side": 0}, {"least": -1}])
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needed"):
        CropConfig(**wrong)  # type: ignore[arg-type]
