"""The one step by which a degraded latent moves along the predicted velocity to the clean one.

z latent (B, C, t, h, w), v velocity of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

TRAIN_TIMESTEPS = 1000
"""The end of Wan's discrete time scale: t* = 400 is at 0.4 of the flow."""

StepRule = Literal["vividface", "dvface"]


@dataclass(frozen=True)
class OneStepFlow:
    """z_hq = z_lq - s v(z_lq, t*): s = 1 in VividFace (eq. 3), s = t*/1000 in DVFace.

    t* is a choice of who trains: DVFace's paper does not give its own, and 400 is what VividFace's weights are run at
    here. `rule` is part of a checkpoint: weights trained with one are wrong by a factor of t*/1000 with the other.
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
        """The length s of the step along the velocity."""
        return 1.0 if self.rule == "vividface" else self.timestep / TRAIN_TIMESTEPS

    def restore(self, z_lq: Tensor, velocity: Tensor, strength: float = 1.0) -> Tensor:
        """Return z_hq in the dtype of z_lq; `strength` from 0 to 1 scales the step, and 0 gives z_lq itself.

        Raises ValueError for another strength.
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength is {strength}, needed from 0 (input unchanged) to 1 (full step)")
        return torch.sub(z_lq, velocity, alpha=strength * self.step).to(z_lq.dtype)

    def target_velocity(self, z_lq: Tensor, z_hq: Tensor) -> Tensor:
        """Return the velocity with which `restore` gives z_hq: what a DiT is trained to predict (VividFace, eq. 2)."""
        return (z_lq - z_hq) / self.step
