"""Where the tokens of a grid are: in which window of attention, at which angle of the rotary embedding, and, in models
of one size, at which learned place.

B batch, L = t*h*w tokens of the grid, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from ...types import VFEError, VideoShape
from ..parameter import normal_parameter
from .config import DiTConfig
from .rope import Rotation, rope_angles
from .window_attention import AttentionWindows


@dataclass(frozen=True)
class TokenPositions:
    """Where tokens are in blocks whose windows are shifted, or in the others; made once for all of these blocks."""

    layout: AttentionWindows
    rotate: Rotation
    """The rotary embedding of the tokens in their windows."""
    mask: Tensor | None
    """What is added to the attention scores; None where nothing is masked."""


@dataclass(frozen=True)
class BlockPositions:
    """Where tokens are, for each block by its index."""

    still: TokenPositions
    shifted: TokenPositions
    """In every second block."""
    along_time: TokenPositions | None
    """In every `time_every`-th block, where there are any."""
    time_every: int | None

    def __getitem__(self, index: int) -> TokenPositions:
        if self.along_time is not None and self.time_every is not None and (index + 1) % self.time_every == 0:
            return self.along_time
        return self.shifted if index % 2 else self.still


@lru_cache(maxsize=16)
def attention_windows(
    grid: VideoShape, window: tuple[int, int, int] | None, shifted: bool, device: torch.device
) -> AttentionWindows:
    """Return the windows of a grid, which are kept for the clips of the same size that follow."""
    sides = (side or whole for side, whole in zip(window or (0, 0, 0), grid, strict=True))
    return AttentionWindows(grid, VideoShape(*sides), shifted, device)


def token_positions(config: DiTConfig, grid: VideoShape, x: Tensor) -> BlockPositions:
    """Return where the tokens of a grid are in each block. Device and dtype are those of x."""

    def positions(window: tuple[int, int, int] | None, shifted: bool) -> TokenPositions:
        layout = attention_windows(grid, window, shifted, x.device)
        angles = layout.partition(rope_angles(grid, config.head_dim, x.device)[None])[0]
        mask = layout.mask
        return TokenPositions(layout, Rotation(angles, x.dtype), None if mask is None else mask.to(x.device, x.dtype))

    still = positions(config.window, False)
    along_time = None if config.time_every is None else positions((0, 1, 1), False)
    shifted = still if still.layout.trivial else positions(config.window, True)
    return BlockPositions(still, shifted, along_time, config.time_every)


class PositionCache:
    """Keeps the result of `token_positions` for the next window, which is mostly of the same size."""

    def __init__(self, config: DiTConfig) -> None:
        self.config = config
        self._kept: tuple[object, BlockPositions] | None = None

    def __call__(self, grid: VideoShape, x: Tensor) -> BlockPositions:
        key = (grid, x.device, x.dtype, torch.is_inference_mode_enabled())  # of no use outside of that mode
        if self._kept is None or self._kept[0] != key:
            self._kept = key, token_positions(self.config, grid, x)
        return self._kept[1]


class LearnedPositions(nn.Module):
    """x + an embedding of the row and column, for grids of one h and w: tokens (B, L, D); VFEError for others."""

    def __init__(self, places: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.places = places
        self.embedding = normal_parameter(places[0] * places[1], dim, std=dim**-0.5)

    def forward(self, x: Tensor, grid: VideoShape) -> Tensor:
        if (grid.height, grid.width) != self.places:
            raise VFEError(
                f"frames have {grid.height} x {grid.width} tokens, this model needs {self.places[0]} x "
                f"{self.places[1]}: it restores aligned faces of one size; take another model for whole frames"
            )
        return x + self.embedding.to(x.dtype).repeat(grid.frames, 1)
