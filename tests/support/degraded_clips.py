"""The families of degradations at their defaults, and clips to degrade."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from tests.support.clips import picture
from vfe.degradations.film import FilmConfig
from vfe.degradations.mix import DegradationMix
from vfe.degradations.protocol import Family
from vfe.degradations.second_order import SecondOrderConfig
from vfe.degradations.vividface import DegradationConfig
from vfe.degradations.webcam import WebcamConfig

FAMILIES: dict[str, Family] = {
    "keep": DegradationConfig(),
    "second_order": SecondOrderConfig(),
    "film": FilmConfig(),
    "webcam": WebcamConfig(),
    "mix": DegradationMix(),
}


def moving_clip(frames: int = 6, height: int = 64, width: int = 80) -> Tensor:
    """(T, H, W, 3) uint8."""
    return torch.from_numpy(np.stack([picture(index, width, height) for index in range(frames)]))


def both_ways(clip: Tensor) -> Tensor:
    """The clip beside its mirror image, in mid-tones: nothing clips, and no colour rises to one side.

    Codecs disagree by a quarter of a pixel on where 4:2:0 has its colours, which moves the mean of what does rise.
    """
    return (torch.cat((clip, clip.flip(2)), 2).float() * 0.7 + 30).round().byte()


def degraded(family: Family, clean: Tensor, seed: int) -> Tensor:
    """The clip after one draw of the family, like `clean`."""
    rng = np.random.default_rng(seed)
    return family.draw(rng).apply(clean, rng)


def digest(name: str) -> str:
    """SHA-256 of two draws of a family; a test calls it in another process too."""
    clips = [degraded(FAMILIES[name], moving_clip(), seed) for seed in range(2)]
    return hashlib.sha256(torch.stack(clips).numpy().tobytes()).hexdigest()
