"""Pictures that are disguised alike."""

from __future__ import annotations

import torch

from training.losses.disguised import PLAIN_SHARE, SIZE_STEP, disguised
from training.run.stage import Draw, Slots


def draw_of(step: int) -> Draw:
    return Draw(0, step, 0.0, Slots(0, 1, 1))


def test_two_pictures_are_disguised_alike_and_seldom_plain() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 96, 64)
    plain, shapes = 0, set()
    for step in range(80):
        a, b = disguised(draw_of(step), picture, picture.clone())
        assert torch.equal(a, b)
        assert max(a.shape[-2:]) <= 96
        shapes.add(tuple(a.shape[-2:]))
        plain += a.shape == picture.shape and torch.equal(a, picture)
    assert 0.5 * PLAIN_SHARE < plain / 80 < 1.5 * PLAIN_SHARE
    assert {(96, 64), (64, 96)} < shapes
    assert all(height % SIZE_STEP == 0 and width % SIZE_STEP == 0 for height, width in shapes)


def test_turned_and_recoloured_pictures_keep_their_values() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 64, 64)
    kept = [x for x in (disguised(draw_of(step), picture)[0] for step in range(40)) if x.shape == picture.shape]
    assert len(kept) > 10
    for x in kept:
        assert torch.equal(x.flatten().sort().values, picture.flatten().sort().values)
