"""Distribution matching between a student's latents and those of a flow model, as pure functions.

    x_tau = (1 - tau) x + tau eps,  eps ~ N(0, I)                        noised by a flow whose velocity is eps - x
    x0(m) = x_tau - tau v_m(x_tau, 1000 tau)                             what the model m takes for clean
    g     = (x0(fake) - x0(real)) / (mean |x - x0(real)| + 1e-6)         DMD; the mean is over all but the clip
    g     = (x0(fake) - x0(real)) / tau                                  VSD; the factor 1 / tau is our own
    L_DMD = 1/2 mean |x - sg(x - g)|^2                                   its gradient with respect to x is g / numel
    L_fake = mean |v_fake(x_tau, 1000 tau) - (eps - sg(x))|^2            the fake model follows the student

DMD is Yin et al. 2023 and 2024 in the form for flow models of the published code of Self-Forcing (Huang et al. 2025);
VSD is Wang et al. 2023, and SwiftBrush (Nguyen and Tran 2023) for one step. sg stops the gradient.

B clips; x, x0, eps latents (B, C, t, h, w), or points (B, ...) of any shape; tau (B,) in (0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NORM_FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True)
class TauConfig:
    """How tau is drawn: uniformly, shifted towards noise, put into the phase, clamped."""

    shift: float = 5.0
    """k of k u / (1 + (k - 1) u): 5 is that of the code of Self-Forcing, 1 leaves u."""
    phase: tuple[float, float] = (0.0, 1.0)
    """The part of (0, 1) that is matched (Phased DMD, Fan et al. 2025). There x_tau of a phase is made of x at the
    lower end of it; for a student of one step, whose x is clean, that is the same distribution: the interval is all."""
    low: float = 0.02
    high: float = 0.98

    def __post_init__(self) -> None:
        first, last = self.phase
        if self.shift <= 0 or not 0 <= first < last <= 1 or not 0 < self.low < self.high < 1:
            raise ValueError(
                f"tau has shift={self.shift}, phase={list(self.phase)}, low={self.low}, high={self.high}: needed a "
                "shift above 0, a phase inside of [0, 1] and 0 < low < high < 1"
            )

    def of(self, uniform: Tensor) -> Tensor:
        """tau of numbers in [0, 1)."""
        first, last = self.phase
        shifted = self.shift * uniform / (1 + (self.shift - 1) * uniform)
        return (first + (last - first) * shifted).clamp(self.low, self.high)


def flow_loss(velocity: Tensor, x: Tensor, noise: Tensor) -> Tensor:
    """mean |v - (eps - sg(x))|^2: flow matching, and L_fake."""
    return (velocity - (noise - x.detach())).square().mean()


def distance_to(x: Tensor, real: Tensor) -> Tensor:
    """mean |x - x0(real)| + 1e-6 of each point, (B, 1, ..., 1): what DMD divides by."""
    return (x - real).abs().mean(tuple(range(1, x.ndim)), keepdim=True) + NORM_FLOOR


@torch.no_grad()
def direction(gap: Tensor, scale: Tensor) -> Tensor:
    """g of a gap x0(fake) - x0(real) and what it is divided by; 0 where it is not finite."""
    return torch.nan_to_num(gap / scale, 0.0, 0.0, 0.0)


def matching_loss(x: Tensor, g: Tensor) -> Tensor:
    """L_DMD = 1/2 mean |x - sg(x - g)|^2."""
    return 0.5 * (x - (x - g).detach()).square().mean()


def guided(x0: Tensor, negative: Tensor, guidance: float) -> Tensor:
    """x0 + (w - 1) (x0 - x0(negative prompt)): w = 1 is x0 itself (SNOOPI, Nguyen et al. 2024, draws w at random)."""
    return x0 + (guidance - 1) * (x0 - negative)


@torch.no_grad()
def transport_plan(a: Tensor, b: Tensor, epsilon: float, iterations: int) -> Tensor:
    """The entropic optimal transport plan (B, B) from points a (B, ...) to points b, with rows and columns of sum 1/B.

    Sinkhorn's iterations (Cuturi 2013) on logarithms; the cost is the mean squared distance over its mean of all pairs,
    so that epsilon has no unit. The rows come last, so that they are exact.
    """
    cost = torch.cdist(a.float().flatten(1), b.float().flatten(1)).square()
    scores = -cost / (epsilon * cost.mean()).clamp(min=NORM_FLOOR)
    rows, columns = scores.new_zeros(len(a), 1), scores.new_zeros(1, len(b))
    for _ in range(iterations):
        columns = -torch.logsumexp(scores + rows, 0, keepdim=True)
        rows = -torch.logsumexp(scores + columns, 1, keepdim=True)
    return (scores + rows + columns).exp() / len(a)


@torch.no_grad()
def transported(fake: Tensor, real: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Where the plan carries each of x0(fake): the mean of x0(real) by its row.

    x0(fake) minus this is B / 2 times the gradient of sum_ij P_ij |x0(fake)_i - x0(real)_j|^2 with respect to x0(fake).
    """
    plan = transport_plan(fake, real, epsilon, iterations)
    return (len(fake) * plan @ real.float().flatten(1)).view_as(real)
