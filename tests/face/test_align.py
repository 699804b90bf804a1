"""Aligned crops: landmarks lie on the template, still faces stay still, and what is put back lies where it was."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from tests.support.face_tracks import template_landmarks
from vfe.face.detect.upright import apply, invert, unit_grid
from vfe.face.paste.align import (
    ALIGNED_SIDE,
    covered_area,
    put_aligned,
    similarities,
    soften,
    steady_similarities,
    take_aligned,
    template,
)


def smooth_frame(height: int, width: int) -> Tensor:
    """(3, H, W) in [-1, 1] without fine detail."""
    small = torch.rand(1, 3, height // 40, width // 40, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    return F.interpolate(small, (height, width), mode="bicubic", align_corners=False)[0]


@pytest.mark.parametrize(("scale", "roll"), [(300, 0.0), (90, 0.4), (800, -2.9)])
def test_a_similar_face_is_taken_to_the_template_exactly(scale: float, roll: float) -> None:
    landmarks = template_landmarks(scale, roll, 200, 150)[None]
    assert torch.allclose(apply(similarities(landmarks), template()[None]), landmarks, atol=1e-9)


def test_other_faces_lie_as_near_as_a_similarity_can_bring_them() -> None:
    landmarks = (
        template_landmarks(300, 0.1, 200, 150)[None]
        + torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(1)) * 6
    )
    best = similarities(landmarks)

    def error(matrix: Tensor) -> float:
        return float((apply(matrix, template()[None]) - landmarks).square().sum())

    for change in (0.01, -0.01):
        turned = best.clone()
        turned[:, :, :2] *= 1 + change
        moved = best + torch.tensor([0.0, 0.0, 100 * change])
        assert error(best) < error(turned)
        assert error(best) < error(moved)


def test_a_frame_is_cut_and_put_back_where_it_was() -> None:
    frame = smooth_frame(240, 320)
    matrix = similarities(template_landmarks(180, 0.3, 170, 110)[None])[0]
    area = covered_area(matrix, 240, 320)
    back = put_aligned(take_aligned(frame, matrix), matrix, area)
    rows, columns = area.slices
    frame_of_ones = F.pad(torch.ones(1, ALIGNED_SIDE - 16, ALIGNED_SIDE - 16), (8,) * 4)
    inside = put_aligned(frame_of_ones, matrix, area)[0] > 0.99
    assert inside.sum() > 25000
    assert (back - frame[:, rows, columns]).abs()[:, inside].max() < 1 / 255


@pytest.mark.parametrize("rows", [1, 7, 8, 61])
def test_a_part_of_the_area_is_put_to_the_same_bits(rows: int) -> None:
    """Pictures are sampled in strips, of which nothing may be left to see."""
    matrix = similarities(template_landmarks(180, 0.3, 170, 110)[None])[0]
    area = covered_area(matrix, 240, 320)
    crop = torch.randn(3, ALIGNED_SIDE, ALIGNED_SIDE, generator=torch.Generator().manual_seed(3))
    part = area._replace(top=area.top + 50, bottom=area.top + 50 + rows)
    assert torch.equal(put_aligned(crop, matrix, part), put_aligned(crop, matrix, area)[:, 50 : 50 + rows])


def test_nothing_is_put_beyond_the_crop_or_the_frame() -> None:
    matrix = similarities(template_landmarks(100, 0.5, 20, 30)[None])[0]
    area = covered_area(matrix, 100, 100)
    put = put_aligned(torch.ones(3, ALIGNED_SIDE, ALIGNED_SIDE), matrix, area)
    assert put.shape == (3, area.bottom - area.top, area.right - area.left)
    assert area.top >= 0
    assert area.left >= 0
    assert (put[:, -1, -1] == 0).all()
    assert put.max() == pytest.approx(1, abs=1e-4)
    far = similarities(template_landmarks(100, 0.0, 900, 30)[None])[0]
    assert covered_area(far, 100, 100) == (0, 0, 0, 0)
    assert put_aligned(torch.ones(3, ALIGNED_SIDE, ALIGNED_SIDE), far, covered_area(far, 100, 100)).numel() == 0


def test_small_faces_are_averaged_and_not_sampled() -> None:
    """Stripes finer than the crop's pixels become grey, where points of them would be black and white."""
    frame = (torch.arange(1200) % 2 * 2.0 - 1).expand(3, 1200, 1200).contiguous()
    crop = take_aligned(frame, similarities(template_landmarks(1100, 0.0, 600, 600)[None])[0])
    assert crop[:, 8:-8, 8:-8].abs().max() < 0.05


@pytest.mark.parametrize(("x", "y"), [(500, 400), (30, 390), (1000, -40)])
def test_a_crop_depends_on_its_surroundings_alone(x: float, y: float) -> None:
    """What lies far away is not even looked at, and what is beyond the frame is mirrored as in the whole frame."""
    frame = torch.rand(3, 800, 1000, generator=torch.Generator().manual_seed(2))
    matrix = similarities(template_landmarks(500, 0.2, x, y)[None])[0]
    step = float(torch.linalg.det(matrix[:, :2]).sqrt()) / ALIGNED_SIDE
    flat = rearrange(unit_grid(ALIGNED_SIDE, frame.device), "h w xy -> 1 (h w) xy").double()
    grid = apply(matrix[None], flat).view(1, ALIGNED_SIDE, ALIGNED_SIDE, 2) / torch.tensor([1000, 800]) * 2 - 1
    whole = F.grid_sample(
        soften(frame[None], step), grid.float(), mode="bicubic", padding_mode="reflection", align_corners=False
    )[0]
    assert torch.allclose(take_aligned(frame, matrix), whole, atol=2e-4)


def crop_places(landmarks: Tensor, matrices: Tensor) -> Tensor:
    """Where landmarks lie in their crops, pixels."""
    return apply(invert(matrices), landmarks) * ALIGNED_SIDE


def test_a_still_face_under_a_moving_camera_stays_still() -> None:
    """A pan, a zoom and a turn of the camera, steady as they mostly are: within 0.1 pixels of the crop."""
    frames = torch.arange(60, dtype=torch.float64)
    landmarks = torch.stack(
        [template_landmarks(200 * math.exp(0.002 * t), 0.003 * t, 200 + 1.7 * t, 150 - 0.6 * t) for t in frames]
    )
    places = crop_places(landmarks, steady_similarities(landmarks))
    assert (places - places[0]).abs().max() < 0.1


def test_a_shaking_camera_is_followed() -> None:
    """Three pixels, twice a second."""
    frames = torch.arange(60, dtype=torch.float64)
    shake = 3 * torch.sin(2 * math.pi * frames / 12)
    landmarks = torch.stack([template_landmarks(256, 0.0, 200 + float(dx), 150) for dx in shake])
    places = crop_places(landmarks, steady_similarities(landmarks))
    assert (places - places.mean(0)).abs()[6:-6].max() < 0.35


def test_errors_of_measurement_are_smoothed() -> None:
    still = template_landmarks(256, 0.1, 200, 150).expand(80, -1, -1)
    measured = still + torch.randn(80, 5, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def trembling(matrices: Tensor) -> float:
        return float(crop_places(still, matrices).diff(dim=0).square().mean().sqrt())

    assert trembling(steady_similarities(measured)) < 0.35 * trembling(similarities(measured))


def test_a_head_that_rolls_over_half_a_turn_turns_on() -> None:
    rolls = torch.linspace(2.6, 3.8, 30)
    landmarks = torch.stack([template_landmarks(200, float(roll), 200, 150) for roll in rolls])
    matrices = steady_similarities(landmarks)
    assert (crop_places(landmarks, matrices) - template() * ALIGNED_SIDE).abs().max() < 0.5
