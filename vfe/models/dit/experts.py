"""Experts of one DiT: a low-rank change of its weights (LoRA, Hu et al. 2021) for each range of severities of a clip.

    y = W x + b + B_k A_k x        k of the clip: how many thresholds its severity has reached

Each clip of a batch has an expert of its own, and what a layer costs does not grow with their number K. The changes
stay beside the weights, so that another window may have another expert at no cost; t* is folded into them as into W.
That students are shared out by condition is MSD's (Multi-Student Distillation); that they are LoRAs of one network, and
the measure of severity (vfe/video/severity.py), are our own.

B clips, K experts, r rank; down A (K, r, in), up B (K, out, r); severity (B,) in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

EXPERT_LAYERS = (*(f"self_attn.{layer}" for layer in "qkvo"), "ffn.0", "ffn.2")
"""The linear layers of a block that may have experts. Those of cross-attention become constants of the prompt when a
DiT is folded."""
BASE = ".base."
"""What stands before the last part of the name of a weight W or b that has experts beside it."""


@dataclass(frozen=True, kw_only=True)
class ExpertSizes:
    """The thresholds of severity between K experts, one less than these; the rank; and the layers of each block."""

    thresholds: tuple[float, ...]
    rank: int = 16
    targets: tuple[str, ...] = EXPERT_LAYERS

    def __post_init__(self) -> None:
        ends = (0.0, *self.thresholds, 1.0)
        if not self.thresholds or any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"thresholds are {list(self.thresholds)}, needed one or more, rising, between 0 and 1")
        if self.rank < 1:
            raise ValueError(f"rank is {self.rank}, needed 1 or more")
        unknown = sorted(set(self.targets) - set(EXPERT_LAYERS))
        if unknown or not self.targets:
            raise ValueError(f"targets are {list(self.targets)}, needed some of {list(EXPERT_LAYERS)}")

    @property
    def count(self) -> int:
        """The number K of experts."""
        return len(self.thresholds) + 1


class ExpertChoice:
    """Which expert each clip of a batch has; one choice for all layers of a network."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self._thresholds = torch.tensor(thresholds, dtype=torch.float64, device="cpu")  # not on meta
        self.chosen = torch.zeros(1, dtype=torch.int64, device="cpu")
        """The experts' numbers, (B,), or (1,) for all clips alike, from 0, that of the mildest damage."""

    def choose(self, severity: Tensor) -> None:
        """Give each clip the expert of its severity (B,)."""
        self.chosen = torch.bucketize(severity.cpu().double(), self._thresholds, right=True)

    def __deepcopy__(self, memo: object) -> ExpertChoice:
        """Copies of a block, as streaming makes them, follow the same choice."""
        return self


class ExpertLinear(nn.Module):
    """A linear layer, which is `base`, with the changes of K experts; they begin as none."""

    def __init__(self, base: nn.Linear, count: int, rank: int, choice: ExpertChoice) -> None:
        super().__init__()
        self.base: nn.Module = base
        bound, device = 1 / math.sqrt(base.in_features), base.weight.device
        self.down = nn.Parameter(torch.empty(count, rank, base.in_features, device=device).uniform_(-bound, bound))
        self.up = nn.Parameter(torch.zeros(count, base.out_features, rank, device=device))
        self.offset: nn.Parameter | None  # A_k shift, (K, r), of what was folded in
        self.register_parameter("offset", None)
        self._choice = choice

    def forward(self, x: Tensor) -> Tensor:
        """x (B, ..., in) -> (B, ..., out). Raises ValueError for a batch that the choice is not of."""
        chosen = self._choice.chosen
        if len(chosen) not in (1, len(x)):
            raise ValueError(f"experts were chosen for {len(chosen)} clips, and {len(x)} are to be restored")
        down, up = self.down[chosen].to(x), self.up[chosen].to(x)  # a host may have left them on another device
        low = x.flatten(1, -2) @ down.mT
        if self.offset is not None:
            low = low + self.offset[chosen].to(x).unsqueeze(1)
        y: Tensor = self.base(x)
        return y + (low @ up.mT).view(y.shape)

    @torch.no_grad()
    def fold_input(self, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> None:
        """Make the changes take x where they took scale x + shift, as `fold_linear.fold_input` makes the base."""
        down = self.down.float()
        self.offset = nn.Parameter((down @ shift.float().flatten()).to(dtype), requires_grad=False)
        self.down = nn.Parameter((down * scale.float().flatten()).to(dtype), requires_grad=False)

    @torch.no_grad()
    def fold_output(self, gate: Tensor, dtype: torch.dtype) -> None:
        """Make the changes give what was gate times their output."""
        up = self.up.float() * gate.float().flatten()[:, None]
        self.up = nn.Parameter(up.to(dtype), requires_grad=False)


class Expandable(Protocol):
    """A DiT that may have experts."""

    blocks: nn.ModuleList
    experts: ExpertChoice | None


def add_experts(dit: Expandable, sizes: ExpertSizes) -> None:
    """Put experts beside the target layers of all blocks of a DiT, in place, and what chooses between them."""
    dit.experts = choice = ExpertChoice(sizes.thresholds)
    for block in dit.blocks:
        for target in sizes.targets:
            owner_name, _, leaf = target.rpartition(".")
            owner = block.get_submodule(owner_name)
            base = getattr(owner, leaf)
            assert isinstance(base, nn.Linear)
            setattr(owner, leaf, ExpertLinear(base, sizes.count, sizes.rank, choice))


def official_name(name: str) -> str:
    """Return the name that a weight W or b has where no expert is beside it."""
    return name.replace(BASE, ".")
