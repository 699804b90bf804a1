"""Several short steps of a DiT's last blocks for one pass of all others: TMD (Transition Matching Distillation).

With f(z) the tokens before the last k blocks, E(z) those that the latent is embedded as, and v_k(f) the velocity that
the last k blocks and the head make of tokens:

    x_1 = z,   v_i = v_k(f(z) + E(x_i) - E(z)),   x_(i+1) = x_i - (s / n) v_i,   v = mean of v_1 .. v_n

The backbone that runs once and the last blocks that take n inner steps are the paper's (its abstract is what we have
read). Ours: how the last blocks are told of x_i, which needs no weight of its own and makes n = 1 the DiT as it is;
that the timestep stays t*, so that it may be folded into the weights; and that the inner steps are equal.

B batch, C latent channels, t h w latent grid, L tokens, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class HeadSteps:
    """What a model was trained for."""

    blocks: int = 3
    """The number k of the last blocks."""
    most: int = 4
    """The most steps n of these blocks."""

    def __post_init__(self) -> None:
        if self.blocks < 1 or self.most < 2:
            raise ValueError(f"blocks={self.blocks}, most={self.most}, needed 1 or more blocks and 2 or more steps")


@dataclass(frozen=True)
class HeadRoll:
    """How the last blocks of a DiT run."""

    blocks: int
    """Their number k."""
    steps: int
    """The number n of their steps."""
    length: float
    """The length s of the whole step along the velocity, as the flow has it."""

    def velocity(
        self, z: Tensor, tokens: Tensor, embed: Callable[[Tensor], Tensor], head: Callable[..., Tensor]
    ) -> Tensor:
        """The mean velocity (B, C, t, h, w) of n steps from z.

        `tokens` (B, L, D) are f(z), `embed` is E, and `head` gives v_k of tokens.
        """
        start = embed(z)
        x, total = z.float(), head(tokens)
        last = total
        for _ in range(self.steps - 1):
            x = x - self.length / self.steps * last.float()
            last = head(tokens + (embed(x.to(z.dtype)) - start))
            total = total + last
        return total / self.steps


class Rollable(Protocol):
    """A DiT whose last blocks may take several steps."""

    roll: HeadRoll | None


@contextmanager
def rolled(dit: Rollable, roll: HeadRoll | None) -> Iterator[None]:
    """Let the last blocks of a DiT run so while the context lasts."""
    before, dit.roll = dit.roll, roll
    try:
        yield
    finally:
        dit.roll = before
