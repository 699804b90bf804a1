"""MCM: representations of motion, what they leave out, and the hinge losses of the frame critic."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from training.distill.extras.motion import (
    FrameCriticConfig,
    MotionConfig,
    hinge_loss,
    hinge_loss_of_generator,
    motion_losses,
)
from training.distill.extras.representations import LOCAL_RADIUS, Representation, low_frequencies, matches, motion_of
from training.losses.adversarial import DiscriminatorConfig

ALL: tuple[Representation, ...] = get_args(Representation)


def random(seed: int, frames: int = 4, side: int = 6) -> Tensor:
    return torch.randn(2, 3, frames, side, side + 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("distance", ["square", "huber"])
def test_a_picture_added_to_all_frames_changes_nothing(distance: str) -> None:
    x, target, picture = random(0), random(1), random(2, frames=1)
    loss, moved = (motion_losses(z, target, "difference", distance) for z in (x, x + picture))  # type: ignore[arg-type]
    assert torch.allclose(loss, moved, rtol=1e-5)
    assert loss.min() > 0.1


@pytest.mark.parametrize("representation", ALL)
def test_equal_clips_have_no_loss_and_others_have(representation: Representation) -> None:
    x = random(0).requires_grad_()
    assert motion_losses(x, x, representation, "huber").tolist() == [0, 0]
    losses = motion_losses(x, random(1), representation, "square")
    assert losses.shape == (2,)
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    assert gradient.abs().amax((1, 3, 4)).min() > 0  # each frame of each clip


def test_the_target_gets_no_gradient() -> None:
    x, target = random(0).requires_grad_(), random(1).requires_grad_()
    motion_losses(x, target, "difference", "huber").sum().backward()
    assert target.grad is None
    assert x.grad is not None


def test_frequencies_part_what_is_slow_from_what_is_fast() -> None:
    still = torch.ones(1, 1, 8, 8, 8)
    fast = still * torch.tensor([1.0, -1.0] * 4).view(1, 1, 8, 1, 1)
    assert torch.allclose(low_frequencies(still + fast), still, atol=1e-4)
    assert torch.allclose(motion_of(still + fast, "high"), fast, atol=1e-4)


@pytest.mark.parametrize("radius", [None, LOCAL_RADIUS])
def test_matches_find_where_a_place_went(radius: int | None) -> None:
    """Each place has a direction of its own; all move one to the right, and what leaves comes in on the left."""
    height, width = 3, 4
    frame = 30 * torch.eye(height * width).view(1, height * width, 1, height, width)
    shares = matches(torch.cat([frame, frame.roll(1, -1)], 2), radius)[0, 0]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    assert torch.equal(shares.argmax(1), (y * width + (x + 1) % width).flatten())
    assert shares.sum(1).tolist() == pytest.approx([(height * width) ** 0.5] * height * width)


def test_local_matches_see_no_further_than_their_radius() -> None:
    shares = matches(random(0), 1)[0, 0].view(6, 8, 6, 8)
    seen = shares[0, 3].nonzero().tolist()
    assert seen == [[0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4]]


def test_hinge_losses_are_those_of_the_paper() -> None:
    real, generated = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.5])
    assert hinge_loss(real, generated).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1.5) / 2)
    assert hinge_loss_of_generator(generated).item() == pytest.approx(1.25)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="2 and more"):
        motion_of(random(0, frames=1), "difference")
    with pytest.raises(ValueError, match="needed one of difference"):
        MotionConfig(representation="flow")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no motion"):
        FrameCriticConfig(net=DiscriminatorConfig())
    with pytest.raises(ValueError, match="above 0"):
        FrameCriticConfig(weight=0.0)
