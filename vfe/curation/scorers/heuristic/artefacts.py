"""Artefacts: noise, smoothed skin and blocks, ringing and sharpening, banding, upscaling. Our own measures.

Marks of old film, dust and scratches, are told in film.py.

Each is a number that grows with the damage, on the face at the size that it had in the source.

N frames, s side of the face's square.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ...clip import FaceClip
from .curve import falling, rising
from .faces import Faces
from .film import film_marks
from .picture import blurred, level_below, oval, plain_blocks, slope

NOISE_MASK = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))
NOISE_GAIN = 6.0
PLAIN_SHARE, EDGE_SHARE = 0.3, 0.15
NOISE_HALF, EQUAL_HALF, SHARPENED_HALF, SMOOTH_HALF, BLOCK_HALF = 5.0, 0.6, 1.55, 0.45, 4.0
GRID_SHARE, GRID_CLAMP, GRID_LEAST = 0.5, 8.0, 0.02
"""The plainest part of the picture, in which alone steps are looked for; the levels that a step counts at most; and
the level of steps that are everywhere."""
BLOCK = 8
"""Pixels of a block of the codecs."""


def artefacts(clip: FaceClip, faces: Faces) -> float:
    """Return the points for the absence of artefacts, 0 to 1."""
    return picture_points(faces.luma) * film_marks(clip)


def picture_points(luma: Tensor) -> float:
    """Return the points of pictures (N, s, s) one by one, 0 to 1."""
    fineness = edge_fineness(luma)
    points = falling(noise(luma), NOISE_HALF, 2.5) * falling(equal_share(luma), EQUAL_HALF, 4.0)
    points *= falling(fineness, SHARPENED_HALF, 6.0) * rising(fineness, SMOOTH_HALF, 6.0)
    return points * falling(blockiness(luma), BLOCK_HALF, 1.5)


def noise(luma: Tensor) -> float:
    """Return the standard deviation of the noise in levels of 255 (Immerkaer 1996), in the plainest blocks."""
    mask = luma.new_tensor(NOISE_MASK)
    height = luma.shape[1] - 2
    answer = sum(mask[y, x] * luma[:, y : y + height, x : x + height] for y in range(3) for x in range(3))
    assert isinstance(answer, Tensor)
    size = F.avg_pool2d(answer.abs(), 8).flatten(1)
    plain = plain_blocks(luma[:, 1:-1, 1:-1], PLAIN_SHARE)
    means = (size * plain).sum(1) / plain.sum(1)
    return float(means.median()) * math.sqrt(math.pi / 2) / NOISE_GAIN


def equal_share(luma: Tensor) -> float:
    """Return the share of neighbours in the face that are of one level: skin that a codec or a filter has flattened,
    and bands."""
    levels, inside = luma.round(), oval(luma.shape[-1])
    across = (levels.diff(dim=2) == 0)[:, inside[:, 1:]].float().mean()
    down = (levels.diff(dim=1) == 0)[:, inside[1:]].float().mean()
    return float((across + down) / 2)


def edge_fineness(luma: Tensor) -> float:
    """Return the finest octave over the one below it, along edges.

    Sharpening and ringing raise it. A face that was enlarged or smoothed lacks its finest octave.
    """
    fine, middle, coarse = blurred(luma, 0.7), blurred(luma, 1.4), blurred(luma, 2.8)
    steep = slope(middle)
    edges = steep >= level_below(steep.flatten(1), 1 - EDGE_SHARE)[:, None, None]
    powers = ((fine - middle).square()[edges].mean(), (middle - coarse).square()[edges].mean())
    return float((powers[0] / powers[1].clamp(min=1e-3)).sqrt())


def blockiness(luma: Tensor) -> float:
    """Return how much steps stand in a grid of 8 pixels, wherever it begins, in the plain parts of the picture, where
    nothing sharp is taken for a step: those at the strongest place of the period over the median place, less 1."""
    return max(_grid_strength(luma), _grid_strength(luma.transpose(1, 2)))


def _grid_strength(luma: Tensor) -> float:
    """Return that of steps across."""
    steps = luma.diff(dim=2).abs()
    lone = (steps[:, :, 1:-1] - torch.maximum(steps[:, :, 2:], steps[:, :, :-2])).clamp(0, GRID_CLAMP)
    activity = F.avg_pool2d((luma - blurred(luma, 2.0)).abs(), BLOCK + 1, 1, BLOCK // 2)[:, :, 1:-2]
    plain = (activity < level_below(activity.flatten(1), GRID_SHARE)[:, None, None]).float()
    columns = (lone * plain).sum((0, 1)) / plain.sum((0, 1)).clamp(min=1)
    places = columns[: len(columns) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(0)
    return max(float(places.max() / (places.median() + GRID_LEAST)) - 1, 0.0)
