"""Settings of the optimizer AdamW, and the learning rate along a run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with linear warm-up, cosine decay, gradient clipping, and an exponential moving average of the weights."""

    lr: float = 1e-3
    final_lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    """Added to the root of the mean squared gradient: weights whose gradients are below it hardly move."""
    weight_decay: float = 0.01
    warmup_steps: int = 200
    max_grad_norm: float = 1.0
    ema: float = 0.999
    """Decay of the exponential moving average, per step."""

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.eps <= 0 or not 0 <= self.ema < 1 or self.warmup_steps < 0:
            raise ValueError(
                f"lr={self.lr}, eps={self.eps}, ema={self.ema}, warmup_steps={self.warmup_steps}: "
                "needed > 0, > 0, in [0, 1), >= 0"
            )


def learning_rate(config: OptimConfig, step: int, progress: float) -> float:
    """The learning rate of a step: linear warm-up over steps, then a cosine over the run's `progress` in [0, 1]."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    return config.final_lr + (config.lr * warm - config.final_lr) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
