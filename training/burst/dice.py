"""Random choices for the clips of a batch, from one generator: (B,) on a device, drawn on the CPU.

Draws do not depend on the device, but the fields of noise do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Dice:
    """Numbers for `count` clips."""

    def __init__(self, count: int, seed: tuple[int, ...], device: torch.device) -> None:
        self.count, self.device = count, device
        number = hash(seed) % 2**63  # of integers: the same everywhere
        self._host = torch.Generator().manual_seed(number)
        self._field = torch.Generator(device).manual_seed(number)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(B, *shape)"""
        return self._on_device(torch.rand(self.count, *shape, generator=self._host) * (high - low) + low)

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) of variance one."""
        return self._on_device(torch.randn(self.count, *shape, generator=self._host))

    def chance(self, probability: float) -> Tensor:
        """(B,) bool"""
        return self._on_device(torch.rand(self.count, generator=self._host) < probability)

    def below(self, limit: Tensor) -> Tensor:
        """(B,) int64 on the CPU, from 0 to less than `limit` (B,)."""
        drawn = (torch.rand(self.count, generator=self._host, dtype=torch.float64) * limit).long()
        return torch.minimum(drawn, limit - 1)

    def choice(self, weights: Sequence[float]) -> Tensor:
        """(B,) index, by weights."""
        return self._on_device(
            torch.multinomial(torch.tensor(weights), self.count, replacement=True, generator=self._host)
        )

    def field(self, *shape: int) -> Tensor:
        """(B, *shape) of variance one, drawn on the device."""
        return torch.randn(self.count, *shape, generator=self._field, device=self.device)

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)


def append_axes(values: Tensor, ndim: int) -> Tensor:
    """(B, ...) with ones appended, to multiply what has `ndim` axes."""
    return values.view(*values.shape, *[1] * (ndim - values.ndim))
