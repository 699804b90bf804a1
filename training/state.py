"""What a run must keep to go on exactly where it stopped: weights, optimizer, moving average and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of the parameters; its decay warms up so that early weights are forgotten soon."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in model.parameters()], 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the averages and the model's weights; a second call undoes it."""
        for value, parameter in zip(self.values, model.parameters(), strict=True):
            kept = value.clone()
            value.copy_(parameter)
            parameter.copy_(kept)


@dataclass
class Progress:
    """Counters of a run and its history, one entry a log interval or evaluation."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    best_score: float = float("-inf")
    losses: list[dict[str, float]] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)


def save_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ema: MovingAverage, progress: Progress
) -> None:
    """Write everything to `path`, aside and renamed: a stop in mid-write leaves the previous file."""
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": ema.values,
        "progress": vars(progress),
    }
    aside = path.with_suffix(".partial")
    torch.save(state, aside)
    aside.replace(path)


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ema: MovingAverage) -> Progress:
    """Read `save_state`'s file into the given objects and return the counters."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    values: list[Tensor] = state["ema"]
    for value, loaded in zip(ema.values, values, strict=True):
        value.copy_(loaded)
    return Progress(**state["progress"])
