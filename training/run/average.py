"""The exponential moving average (EMA) of a run's weights, which is what is scored and exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average, in float32, of the parameters of `model` that are trained.

    Its decay warms up, so that early weights are forgotten soon. Where parameters are sharded over processes, each
    process averages its own part.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.model = decay, model
        self.values = [parameter.detach().float().clone() for parameter in self.parameters()]

    def parameters(self) -> list[nn.Parameter]:
        """The averaged parameters, in the model's order."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the weights that the model has after step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, [p.detach().float() for p in self.parameters()], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the model's weights are the averages; afterwards it has its own again, bit for bit."""
        own = [parameter.detach().clone() for parameter in self.parameters()]
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(own)

    @torch.no_grad()
    def _assign(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters(), values, strict=True):
            parameter.copy_(value)
