"""GELU in its tanh form, as Wan has it, and its faster exact form where the two are as good."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Gelu(nn.Module):
    """x Phi(x), by tanh (Hendrycks and Gimpel 2016, eq. 2), which differs from the exact form by 5e-4 at most.

    In bf16 on a CPU it is exact instead: torch has a vectorised erf there, but takes tanh number by number, which is 4
    times as slow. Our own choice.
    """

    def __init__(self, exact: bool = False) -> None:
        """`exact` is without tanh everywhere."""
        super().__init__()
        self.exact = exact

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate=self._form(x))

    def in_place(self, x: Tensor) -> Tensor:
        """Do the same in the memory of x, which no gradient may need, and return it."""
        result: Tensor = torch.ops.aten.gelu_(x, approximate=self._form(x))
        return result

    def _form(self, x: Tensor) -> Literal["none", "tanh"]:
        has_fast_erf = x.device.type == "cpu" and x.dtype == torch.bfloat16
        return "none" if self.exact or has_fast_erf else "tanh"
