"""The one step: a degraded latent moves along the predicted velocity to the clean one.

z latent (B, C, t, h, w), v velocity of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000  # Wan's discrete time scale: t* = 400 is 0.4 of the flow

StepRule = Literal["vividface", "dvface"]


@dataclass(frozen=True)
class OneStepFlow:
    """z_hq = z_lq - s v(z_lq, t*): s = 1 in VividFace (eq. 3), s = t*/1000 in DVFace.

    `rule` is part of a checkpoint: weights trained with one are wrong by a factor of t*/1000 with the other.
    """

    rule: StepRule = "vividface"
    timestep: float = 400.0

    def __post_init__(self) -> None:
        if self.rule not in ("vividface", "dvface"):
            raise ValueError(f"flow rule is {self.rule!r}, needed 'vividface' or 'dvface'")
        if not 0 < self.timestep <= TRAIN_TIMESTEPS:
            raise ValueError(f"timestep is {self.timestep}, needed above 0 and at most {TRAIN_TIMESTEPS}")

    @property
    def step(self) -> float:
        """Length s of the step along the velocity."""
        return 1.0 if self.rule == "vividface" else self.timestep / TRAIN_TIMESTEPS

    def restore(self, z_lq: Tensor, velocity: Tensor, strength: float = 1.0) -> Tensor:
        """Take the step; `strength` in [0, 1] scales it, 0 returns z_lq itself. In the dtype of z_lq."""
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength is {strength}, needed from 0 (input unchanged) to 1 (full step)")
        return torch.sub(z_lq, velocity.to(z_lq.dtype), alpha=strength * self.step)

    def target_velocity(self, z_lq: Tensor, z_hq: Tensor) -> Tensor:
        """The velocity that `restore` turns into z_hq exactly: what the network is trained to predict (eq. 2)."""
        return (z_lq - z_hq) / self.step
