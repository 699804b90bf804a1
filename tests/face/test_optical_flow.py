"""Laws of optical flow: what is shifted is found where it is, what is equal stays, and the way back is the inverse."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.face.paste.optical_flow import box_mean, enlarged, flow, moved


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """(1, 1, h, w) levels of 255 of soft noise."""
    noise = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(seed))
    soft = box_mean(box_mean(noise, 4), 4)
    return (soft - soft.mean()) / soft.std() * 40 + 128


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, -2), (3, 4), (-6, 5)])
@pytest.mark.parametrize("sides", [(96, 128), (61, 83)])
def test_a_shift_is_found(down: int, right: int, sides: tuple[int, int]) -> None:
    large = texture(sides[0] + 20, sides[1] + 20)

    def cut(y: int, x: int) -> Tensor:
        return large[:, :, 10 - y : 10 - y + sides[0], 10 - x : 10 - x + sides[1]]

    found = flow(cut(0, 0), cut(down, right))[0, :, 12:-12, 12:-12]
    assert (found[0] - right).abs().mean() < 0.15
    assert (found[1] - down).abs().mean() < 0.15


def test_equal_pictures_do_not_move() -> None:
    picture = texture(40, 50)
    assert flow(picture, picture).abs().max() < 1e-4


def test_plain_pictures_do_not_move() -> None:
    """However bright they are: where there is no slope, nothing tells the way."""
    assert torch.equal(
        flow(torch.full((1, 1, 32, 32), 9.0), torch.full((1, 1, 32, 32), 200.0)), torch.zeros(1, 2, 32, 32)
    )


@pytest.mark.parametrize("sides", [(16, 16), (8, 8), (3, 5), (2, 3)])
def test_small_pictures_have_fewer_scales(sides: tuple[int, int]) -> None:
    found = flow(texture(*sides), texture(*sides, seed=1))
    assert found.shape == (1, 2, *sides)
    assert found.isfinite().all()


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    one, other = texture(40, 40), texture(40, 40, seed=1)
    both = flow(torch.cat([one, other]), torch.cat([other, one]))
    assert torch.allclose(both[:1], flow(one, other), atol=1e-4)
    assert torch.allclose(both[1:], flow(other, one), atol=1e-4)


def test_moved_by_whole_pixels_is_shifted() -> None:
    picture = torch.rand(2, 3, 12, 15, generator=torch.Generator().manual_seed(0))
    by = torch.zeros(2, 2, 12, 15)
    assert torch.allclose(moved(picture, by), picture, atol=1e-5)
    by[:, 0], by[:, 1] = 3, -2
    shifted = moved(picture, by, "bicubic")
    assert torch.allclose(shifted[:, :, 4:, :10], picture[:, :, 2:-2, 3:13], atol=1e-4)
    assert torch.allclose(shifted[:, :, 0, -1], picture[:, :, 0, -1], atol=1e-5)  # beyond the border, its pixels go on


def test_enlarged_flows_are_twice_as_long() -> None:
    assert torch.equal(enlarged(torch.full((1, 2, 4, 6), 1.5), (8, 11)), torch.full((1, 2, 8, 11), 3.0))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_box_mean_is_pooling_over_a_padded_picture(radius: int) -> None:
    picture = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    padded = F.pad(picture, [radius] * 4, mode="replicate")
    assert torch.allclose(box_mean(picture, radius), F.avg_pool2d(padded, 2 * radius + 1, 1), atol=1e-6)
