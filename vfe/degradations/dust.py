"""Dust and hairs: marks of irregular shape, each in a single frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .ranges import Range, chance, check_range, check_share, uniform

Mask = npt.NDArray[np.float32]
HAIR_SHARE = 0.15  # of the marks
DARK_SHARE = 0.5  # dirt on the print; the others were on the negative
EDGE_PIXELS = 1.2  # pixels over which a mark's edge fades


@dataclass(frozen=True)
class Dust:
    """Adds `rate` marks to a frame on average, of up to `size` of the frame's height; most are far smaller."""

    rate: float
    size: float

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        planes = planes.clone()
        height, width = planes.shape[2:]
        for frame in planes:
            for _ in range(int(rng.poisson(self.rate))):
                mark = _hair(self.size * height, rng) if chance(HAIR_SHARE, rng) else _speck(self.size * height, rng)
                level = 12.0 if chance(DARK_SHARE, rng) else 240.0
                top, left = int(rng.integers(-2, height)), int(rng.integers(-2, width))
                _stamp(frame, torch.from_numpy(mark), (top, left), level)
        return planes

    def milder(self, severity: float) -> Dust:
        return replace(self, rate=severity * self.rate)


@dataclass(frozen=True, kw_only=True)
class DustConfig:
    """How many clips have dust, and the ranges of its rate and size."""

    share: float = 0.8
    rate: Range = (0.3, 6.0)
    size: Range = (0.01, 0.03)

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_range("rate", self.rate, 0.0, 100.0)
        check_range("size", self.size, 0.001, 0.3)

    def draw(self, rng: np.random.Generator) -> Dust | None:
        if not chance(self.share, rng):
            return None
        return Dust(uniform(self.rate, rng), uniform(self.size, rng))


def _speck(size: float, rng: np.random.Generator) -> Mask:
    """The opacity (n, n) of a blob whose radius wavers with the angle."""
    radius = max(0.7, size * rng.random() ** 2)
    y, x = _grid(int(np.ceil(1.8 * radius + EDGE_PIXELS)))
    stretch, turn = rng.uniform(0.45, 1.0), rng.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / stretch
    angle = np.arctan2(across, along)
    edge = radius * (1 + sum(rng.normal(0, 0.22 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)))
    return _soft((edge - np.hypot(along, across)) / EDGE_PIXELS, rng)


def _hair(size: float, rng: np.random.Generator) -> Mask:
    """The opacity (n, n) of a bent stroke."""
    reach = max(3.0, size * rng.uniform(1.0, 3.0))
    y, x = _grid(int(np.ceil(1.2 * reach + EDGE_PIXELS)))
    time = np.linspace(-1, 1, 24)
    turn, bend, curl = rng.uniform(0, np.pi), rng.normal(0, 0.6), rng.normal(0, 0.4)
    along, across = reach * time * 0.8, reach * (bend * (time**2 - 0.5) + curl * time**3) * 0.6
    line_x = along * np.cos(turn) - across * np.sin(turn)
    line_y = along * np.sin(turn) + across * np.cos(turn)
    distance = np.hypot(x[..., None] - line_x, y[..., None] - line_y).min(-1)
    return _soft((rng.uniform(0.5, 1.1) - distance) / EDGE_PIXELS, rng)


def _grid(radius: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    line = np.arange(-radius, radius + 1, dtype=np.float64)
    return line[:, None], line[None]


def _soft(inside: npt.NDArray[np.float64], rng: np.random.Generator) -> Mask:
    """The opacity (n, n) of a mark with a soft edge; `inside` is the distance to the edge in edge widths, positive
    inside."""
    return (np.clip(inside + 0.5, 0, 1) * rng.uniform(0.5, 1.0)).astype(np.float32)


def _stamp(frame: Tensor, mark: Tensor, corner: tuple[int, int], level: float) -> None:
    """Paint `mark` (n, n) in `level` on a frame (3, H, W), cut at its borders."""
    height, width = frame.shape[1:]
    top, left = corner[0] - len(mark) // 2, corner[1] - len(mark) // 2
    mark = mark[max(0, -top) : height - top, max(0, -left) : width - left]
    view = frame[:, max(0, top) : max(0, top) + mark.shape[0], max(0, left) : max(0, left) + mark.shape[1]]
    view += mark * (level - view)
