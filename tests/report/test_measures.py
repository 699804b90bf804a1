"""What the numbers of a report answer to, and what they do not."""

from __future__ import annotations

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.report.colour import colour_shift
from vfe.report.face_net import FaceNetLikeness
from vfe.report.sharpness import sharpness

SIDE = 256


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """(3, S, S) in [-1, 1], a face that fills the picture."""
    pixels = torch.from_numpy(skimage.data.astronaut()[40:200, 150:310]).permute(2, 0, 1).float() / 127.5 - 1
    return F.interpolate(pixels[None], (SIDE, SIDE), mode="bicubic")[0].clamp(-1, 1)


def smaller(picture: Tensor, factor: int) -> Tensor:
    """The picture as if it had been taken with so many times fewer pixels."""
    small = F.interpolate(picture[None], scale_factor=1 / factor, mode="bilinear", antialias=True)
    return F.interpolate(small, picture.shape[-2:], mode="bicubic")[0].clamp(-1, 1)


def noisy(picture: Tensor, levels: float) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return picture + noise * levels / 127.5


def test_sharpness_falls_with_blur_and_not_with_noise(portrait: Tensor) -> None:
    versions = [smaller(portrait, factor) for factor in (2, 4, 8)]
    clean = sharpness(torch.stack(versions))
    assert clean == sorted(clean, reverse=True)
    rough = sharpness(torch.stack([noisy(version, 12) for version in versions]))
    assert rough == sorted(rough, reverse=True)
    assert rough == pytest.approx(clean, rel=0.15)


def test_noise_alone_is_hardly_sharp() -> None:
    noise = noisy(torch.zeros(3, 64, 64), 20)
    assert sharpness(noise[None])[0] < 1.5
    assert sharpness(torch.zeros(1, 3, 64, 64)) == [0.0]


def test_one_face_in_a_worse_state_is_nearer_than_another(portrait: Tensor) -> None:
    likeness = FaceNetLikeness.load()
    upside_down = portrait.flip(1)
    assert likeness.distance(portrait, portrait) == pytest.approx(0, abs=1e-5)
    worse = max(likeness.distance(portrait, version) for version in (smaller(portrait, 8), noisy(portrait, 20)))
    assert worse < 0.1 < likeness.distance(portrait, upside_down)


def test_the_colour_shift_is_in_levels_by_channel() -> None:
    before = torch.zeros(3, 4, 6)
    after = before + torch.tensor([2.0, 0.0, -1.0])[:, None, None] / 127.5
    assert colour_shift(before, after) == pytest.approx((2, 0, -1), abs=1e-4)
