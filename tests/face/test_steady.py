"""Laws of steadying what is around a face: order, the face as it is, less flicker around it, and no look beyond."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vfe.face.paste.optical_flow import box_mean
from vfe.face.paste.steady import REACH, SteadyAround

SIDE = 128


def steadied(crops: list[Tensor], before: list[Tensor] | None = None) -> list[Tensor]:
    """Crops that were grey before, where nothing else is said: all that is in them has changed."""
    steady = SteadyAround()
    before = [torch.zeros_like(crop) for crop in crops] if before is None else before
    pairs = zip(before, crops, strict=True)
    return [out for pair in pairs for out in steady.push(*pair)] + steady.finish()


def picture(seed: int = 0, side: int = SIDE) -> Tensor:
    noise = torch.rand(1, 3, side + 16, side + 16, generator=torch.Generator().manual_seed(seed))
    soft = box_mean(box_mean(noise, 4), 4)[0]
    return ((soft - soft.mean()) / soft.std() * 0.3).clamp(-0.9, 0.9)


def panning(count: int, flicker: float = 0.0) -> list[Tensor]:
    """Crops across which a picture moves by a pixel a frame."""
    large, chance = picture(), torch.Generator().manual_seed(1)
    crops = [large[:, 4 : 4 + SIDE, index : index + SIDE] for index in range(count)]
    return [crop + flicker * torch.randn(crop.shape, generator=chance) for crop in crops]


@pytest.mark.parametrize("count", [0, 1, 2, REACH, REACH + 1, 2 * REACH + 1, 12])
def test_as_many_come_out_a_few_crops_later(count: int) -> None:
    steady, crops = SteadyAround(), panning(count)
    for index, crop in enumerate(crops):
        assert len(steady.push(crop, crop)) == (index >= REACH)
    assert len(steady.finish()) == min(count, REACH)
    assert not steady.finish()


def test_what_is_steady_stays() -> None:
    for out in steadied([picture()[:, :SIDE, :SIDE]] * 6):
        assert (out - picture()[:, :SIDE, :SIDE]).abs().max() < 1e-3


def test_what_was_not_changed_stays_to_the_bit() -> None:
    """However much it flickers: a clean clip comes back as it was."""
    crops = panning(9, flicker=0.03)
    for out, crop in zip(steadied(crops, crops), crops, strict=True):
        assert torch.equal(out, crop)


def test_a_crop_alone_stays() -> None:
    (out,) = steadied(panning(1))
    assert torch.allclose(out, panning(1)[0], atol=1e-6)


def test_flicker_fades_around_the_face_and_the_face_stays() -> None:
    clean, noisy = panning(9), panning(9, flicker=0.03)
    top = slice(16, 28), slice(16, 112)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    errors = []
    for out, before, wanted in zip(steadied(noisy), noisy, clean, strict=True):
        assert torch.equal(out[:, 66:82, 58:70], before[:, 66:82, 58:70])
        assert torch.allclose((out - before).std(0), torch.zeros(SIDE, SIDE), atol=1e-6)  # luma alone changes
        errors.append([float((((x - wanted) * luma).sum(0)[top]).square().mean()) for x in (before, out)])
    before, after = torch.tensor(errors).mean(0).sqrt().tolist()
    assert after < 0.65 * before


def test_another_scene_is_not_mixed_in() -> None:
    crops = [picture(seed)[:, :SIDE, :SIDE] for seed in (0, 0, 0, 7, 7, 7)]
    for out, crop in zip(steadied(crops), crops, strict=True):
        assert (out - crop).abs().mean() < 0.02


def test_a_crop_depends_on_its_neighbours_alone() -> None:
    """To the bit, so that a part of a clip gives what the whole clip does."""
    crops = panning(12, flicker=0.02)
    whole = steadied(crops)
    part = steadied(crops[3:10])
    for index in range(3 + REACH, 10 - REACH):
        assert torch.equal(part[index - 3], whole[index])
    assert not torch.equal(part[0], whole[3])
