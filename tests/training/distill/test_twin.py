"""TwinFlow: the two flows of one network, what their difference is and where it leads, and who gets a gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_dit import padded_prompt, random_dit, random_latent, tiny_config
from training.distill.methods.twin import MOST_DIFFERENCE, TwinConfig, difference_of_flows, rectify_loss
from vfe.models.dit.model import timestep_embedding

SHAPE = (3, 4, 2, 3, 3)
TAU = torch.tensor([0.2, 0.5, 0.9])


def random(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_the_embedding_of_a_timestep_knows_its_sign() -> None:
    """Cosines are even and sines odd: no weight is needed to tell the two flows apart."""
    there, back = (
        timestep_embedding(400.0, 32, torch.device("cpu")),
        timestep_embedding(-400.0, 32, torch.device("cpu")),
    )
    assert torch.equal(there[:, :16], back[:, :16])
    assert torch.equal(there[:, 16:], -back[:, 16:])
    assert (there - back).norm() > 0.5


def test_a_dit_has_two_flows() -> None:
    config = tiny_config()
    dit, z, prompt = random_dit(config), random_latent(config, (2, 4, 4)), padded_prompt(2, 4, config.text_dim)
    assert (dit(z, 400.0, prompt) - dit(z, -400.0, prompt)).abs().mean() > 1e-3


def test_flows_that_agree_leave_nothing_to_rectify() -> None:
    difference = difference_of_flows(lambda z, t: z * t.abs().view(-1, 1, 1, 1, 1), random(0), TAU, random(1))
    assert torch.equal(difference, torch.zeros(SHAPE))
    velocity = random(2).requires_grad_()
    loss = rectify_loss(velocity, difference)
    (gradient,) = torch.autograd.grad(loss, velocity)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros(SHAPE))


def test_no_gradient_passes_through_the_difference() -> None:
    weight, x, velocity = torch.tensor(0.1, requires_grad=True), random(0).requires_grad_(), random(2).requires_grad_()
    difference = difference_of_flows(lambda z, t: weight * z * t.sign().view(-1, 1, 1, 1, 1), x, TAU, random(1))
    loss = rectify_loss(velocity, difference)
    assert not difference.requires_grad
    to_velocity, *others = torch.autograd.grad(loss, [velocity, weight, x], allow_unused=True)
    assert others == [None, None]
    assert torch.allclose(to_velocity, 2 * difference / difference.numel(), atol=1e-7)
    assert loss.item() == pytest.approx(difference.square().mean().item(), rel=1e-4)


def test_the_step_goes_from_the_fake_mean_to_the_real_one() -> None:
    """Flows of single points m: x0 = m, so v = (x_tau - m) / tau. The rectify loss leads from -0.1 to 0.1."""

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        t = t.view(-1, 1, 1, 1, 1)
        return (z - t.sign() * 0.1) / (t.abs() / 1000)

    z_lq, step = random(0), (0.1 - random(1)).requires_grad_()
    x = (z_lq - step).detach()
    loss = rectify_loss(step, difference_of_flows(velocity, x, TAU, random(2)))
    (gradient,) = torch.autograd.grad(loss, step)  # descent takes it from the step, and so adds it to x
    assert gradient.min() > 0


def test_the_difference_is_clamped_as_in_the_paper() -> None:
    difference = difference_of_flows(lambda z, t: -9 * t.view(-1, 1, 1, 1, 1).expand_as(z), random(0), TAU, random(1))
    assert difference.unique().tolist() == [MOST_DIFFERENCE]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="needed 0 or more"):
        TwinConfig(rectify=-1.0)
    with pytest.raises(ValueError, match="needed 0 < lowest"):
        TwinConfig(lowest=0.0)
