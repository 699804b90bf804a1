"""ASD's two steps, TAD-SR's scores, and the critics of latents and of tokens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.distill.critics import LatentCritic, LatentCriticConfig, TokenCritic
from training.distill.extras.score_critic import ScoreCriticConfig, score_losses
from training.distill.extras.self_adversarial import SelfAdversarialConfig, one_and_two_steps
from vfe.models.flow import OneStepFlow, StepRule


def random(seed: int) -> Tensor:
    return torch.randn(2, 4, 2, 3, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rule", ["vividface", "dvface"])
def test_for_a_constant_velocity_one_step_is_two(rule: StepRule) -> None:
    constant = random(0)
    one, two = one_and_two_steps(lambda _z, _t: constant, OneStepFlow(rule), random(1))
    assert torch.allclose(one, two, atol=1e-6)


def test_the_second_step_is_taken_at_half_the_timestep() -> None:
    asked = []

    def velocity(z: Tensor, timestep: float) -> Tensor:
        asked.append(timestep)
        return weight * z

    weight, z_lq = torch.tensor(0.5, requires_grad=True), random(1)
    one, two = one_and_two_steps(velocity, OneStepFlow("vividface", 400.0), z_lq)
    assert asked == [400.0, 200.0]
    assert torch.allclose(one, 0.5 * z_lq)
    assert torch.allclose(two, 0.75**2 * z_lq)
    assert one.requires_grad
    assert not two.requires_grad


def test_noised_scores_compare_results_and_move_the_student() -> None:
    """For x0(x_tau, tau) = x_tau the loss is (1 - tau)^2 |x - y|^2: the noise is the same in both."""
    x, y, tau = random(0).requires_grad_(), random(1).requires_grad_(), torch.tensor([0.1, 0.25])
    losses = score_losses(lambda z, _: z, x, y, tau, random(2))
    expected = (1 - tau) ** 2 * (x - y).square().flatten(1).mean(1)
    assert torch.allclose(losses, expected, rtol=1e-4)
    losses.sum().backward()
    assert x.grad is not None
    assert y.grad is None
    assert score_losses(lambda z, _: z, x, x, tau, random(2)).tolist() == [0, 0]


def test_a_logit_for_each_place_of_a_latent() -> None:
    critic = LatentCritic(4, LatentCriticConfig(width=8))
    assert critic(random(0)).shape == (2, 1, 2, 3, 3)


def test_the_token_critic_is_told_the_noise() -> None:
    torch.manual_seed(0)
    critic = TokenCritic(dim=6, depths=2, width=8).eval()
    hidden = [torch.randn(2, 5, 6), torch.randn(2, 5, 6)]
    logits = critic(hidden, torch.tensor([0.1, 0.9]))
    assert logits.shape == (2, 5, 2)
    assert not torch.equal(logits, critic(hidden, torch.tensor([0.3, 0.3])))
    with pytest.raises(ValueError, match="1 depths are given"):
        critic(hidden[:1], torch.tensor([0.1, 0.9]))


@pytest.mark.parametrize("critic", [LatentCritic(4, LatentCriticConfig(width=8)), TokenCritic(6, 1, 8)])
def test_critics_are_held_by_spectral_norm(critic: nn.Module) -> None:
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Linear | nn.Conv3d)]
    assert all(hasattr(layer, "parametrizations") for layer in layers)
    assert len(layers) == 3


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        SelfAdversarialConfig(weight=0.0)
    with pytest.raises(ValueError, match="one above 0"):
        ScoreCriticConfig(score=0.0, adversarial=0.0)
    with pytest.raises(ValueError, match="needed 0 < lowest"):
        ScoreCriticConfig(most_noise=0.01)
    with pytest.raises(ValueError, match="depths from 0 to 1"):
        ScoreCriticConfig(depths=(1.5,))
    with pytest.raises(ValueError, match="1 or more"):
        LatentCriticConfig(width=0)
