"""Random numbers for the clips of a batch, one for each clip, from one seed.

Numbers are drawn on the CPU, so that they do not depend on the device; the fields of noise are drawn on the device.

B clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Dice:
    """Draws random numbers for `count` clips, each call new ones; the same seed gives the same sequence."""

    def __init__(self, count: int, seed: tuple[int, ...], device: torch.device) -> None:
        self.count, self.device = count, device
        number = hash(seed) % 2**63  # of integers: the same everywhere
        self._host = torch.Generator().manual_seed(number)
        self._field = torch.Generator(device).manual_seed(number)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers (B, *shape), uniform from `low` to `high`."""
        return self._on_device(torch.rand(self.count, *shape, generator=self._host) * (high - low) + low)

    def normal(self, *shape: int) -> Tensor:
        """Numbers (B, *shape), normal with mean 0 and variance 1."""
        return self._on_device(torch.randn(self.count, *shape, generator=self._host))

    def chance(self, probability: float) -> Tensor:
        """Booleans (B,), each true with the given probability."""
        return self._on_device(torch.rand(self.count, generator=self._host) < probability)

    def below(self, limit: Tensor) -> Tensor:
        """Integers (B,) int64 on the CPU, uniform from 0 to less than `limit` (B,)."""
        drawn = (torch.rand(self.count, generator=self._host, dtype=torch.float64) * limit).long()
        return torch.minimum(drawn, limit - 1)

    def choice(self, weights: Sequence[float]) -> Tensor:
        """Indices (B,) into `weights`, drawn in proportion to them."""
        return self._on_device(
            torch.multinomial(torch.tensor(weights), self.count, replacement=True, generator=self._host)
        )

    def field(self, *shape: int) -> Tensor:
        """Noise (B, *shape), normal with mean 0 and variance 1, drawn on the device."""
        return torch.randn(self.count, *shape, generator=self._field, device=self.device)

    def _on_device(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)


def append_axes(values: Tensor, ndim: int) -> Tensor:
    """`values` (B, ...) with axes of length one appended until there are `ndim`, to be multiplied with what has as
    many."""
    return values.view(*values.shape, *[1] * (ndim - values.ndim))
