"""Half precision that never overflows: a step that leaves float16's range is done again in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from .coder import Coder
from .config import WanVAEConfig
from .conv import Target
from .history import History
from .weights import VAEWeights

Step = Callable[[Coder, History], Tensor]
"""One step of a stream: returns its result and brings the history up to date."""


class Runner:
    """Runs steps with the kernels of a target, which are derived when first needed.

    float16 resolves eight times as finely as bfloat16, and ends at 65504. What does not fit becomes infinite or not a
    number, and stays so up to the result, since a norm, a convolution and a SiLU make no finite number of it. So the
    result tells, and the step starts again in float32 from the history before it. `repeated` counts such steps.
    """

    def __init__(self, weights: VAEWeights, config: WanVAEConfig, target: Target) -> None:
        self.weights, self.config, self.target = weights, config, target
        self.guarded = target.dtype == torch.float16
        self.repeated = 0

    @cached_property
    def coder(self) -> Coder:
        """Encoder and decoder in the dtype of the target."""
        return Coder(self.weights, self.config, self.target)

    @cached_property
    def wide_coder(self) -> Coder:
        """The same in float32."""
        return Coder(self.weights, self.config, replace(self.target, dtype=torch.float32))

    @property
    def holding(self) -> torch.dtype:
        """A dtype that holds the features of every step, those of repeated steps too."""
        return torch.float32 if self.guarded else self.target.dtype

    def run(self, step: Step, history: History) -> Tensor:
        """Run a step and return its result; float16 results that are not finite are computed again in float32."""
        if not self.guarded:
            return step(self.coder, history)
        attempt = history.copy()
        result = step(self.coder, attempt)
        if not bool(result.sum(dtype=torch.float32).isfinite()):
            attempt = history.copy()
            result = step(self.wide_coder, attempt)
            self.repeated += 1
        history.adopt(attempt)
        return result
