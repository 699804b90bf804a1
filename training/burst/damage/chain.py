"""All damage of a clip in one chain: blur, a camera, noise, a codec, and the way back to the aligned crop.

B batch, T frames, S side; clips are (B, T, 3, S, S) in levels of 255.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..dice import Dice, append_axes
from ..motion_paths import random_path
from .blur import Blur, apply_blur
from .camera import Camera, align, film
from .noise import apply_noise, draw_noise
from .quantise import Codec, apply_codec


@dataclass(frozen=True, kw_only=True)
class DamageConfig:
    """Ranges at the worst severity; one severity of a clip, uniform, scales them all, each by a draw of its own.

    Wider than those of the papers (VividFace: blur to 10 pixels of 512, ratio to 10, noise to 10, CRF to 35) at the one
    end, and nothing at all at the other.
    """

    clean_share: float = 0.06
    """The share of clips that are not damaged, so that what is clean is left alone."""
    sigma: float = 4.0
    """Pixels of an aligned crop of 256."""
    ratio: float = 7.0
    """Pixels of the crop per pixel of the camera, beyond one."""
    noise: float = 15.0
    """Levels of 255, in the camera's frame."""
    qp: tuple[float, float] = (12.0, 42.0)
    table_share: float = 0.35
    """The share of codecs of MPEG's and JPEG's kind instead of H.264's."""
    twice_share: float = 0.25
    """The share of clips that are damaged again, by less, as footage that was copied."""
    sharpened_share: float = 0.12
    turn: float = 0.12
    """Radians, one standard deviation."""

    def __post_init__(self) -> None:
        shares = (self.clean_share, self.table_share, self.twice_share, self.sharpened_share)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"shares are {shares}, needed from 0 to 1")
        if min(self.sigma, self.ratio, self.noise, self.turn) < 0 or self.qp[0] > self.qp[1]:
            raise ValueError(f"ranges need to be 0 or more, and qp to rise: {self}")


class DrawnPass(NamedTuple):
    """The random choices of one pass of the chain, one for each clip."""

    blur: Blur
    camera: Camera
    codec: Codec
    sigma: Tensor  # of the noise
    smooth: Tensor  # bool: bilinear on the way back


MOVING_FROM_RATIO = (
    1.5  # ratio from which the face lies turned and moves in the camera's frame; nearer to 1, resampling is damage
)


CodecStep = Callable[[Tensor, Codec, Camera], Tensor]
"""`apply_codec`, or what stands in for it, which may give several versions of clips, one after the other in the
channels: (B, T, 3n, C, C)."""


class Damage:
    """Damages batches of clips within the ranges of `config`."""

    def __init__(self, config: DamageConfig, apply_codec: CodecStep = apply_codec) -> None:
        self.config, self._apply_codec = config, apply_codec

    @torch.no_grad()
    def __call__(self, video: Tensor, dice: Dice) -> Tensor:
        """The damaged clips of `video` (B, T, 3, S, S), or all versions of them, rounded to whole levels."""
        severity = dice.uniform(0, 1)
        severity = torch.where(dice.chance(self.config.clean_share), 0.0, severity)
        again = torch.where(dice.chance(self.config.twice_share), 0.5 * severity, 0.0)
        damaged = self._once(video, severity, dice)
        if bool((again > 0).any()):
            chosen = append_axes(again > 0, 5)
            damaged = torch.where(chosen, self._once(damaged, again, dice), damaged)
        damaged = self._sharpen(damaged, severity, dice)
        as_it_was = video.repeat(1, 1, damaged.shape[2] // video.shape[2], 1, 1)
        return torch.where(append_axes(severity > 0, 5), damaged.round().clamp(0, 255), as_it_was)

    def _once(self, video: Tensor, severity: Tensor, dice: Dice) -> Tensor:
        drawn = self._draw(severity, video.shape[1], dice)
        side = video.shape[-1]
        canvas = drawn.camera.canvas(side)
        frames = film(apply_blur(video, drawn.blur), drawn.camera, canvas)
        frames = apply_noise(frames, draw_noise(dice, drawn.sigma), dice).round().clamp(0, 255)
        frames = self._apply_codec(frames, drawn.codec, drawn.camera).round().clamp(0, 255)
        return align(frames, drawn.camera, side, drawn.smooth)

    def _draw(self, severity: Tensor, frames: int, dice: Dice) -> DrawnPass:
        config = self.config
        ratio = 1 + severity * config.ratio * dice.uniform(0.15, 1.05)
        ratio = torch.where(ratio < 1.15, 1.0, ratio)
        pixel = 0.29 * ratio * dice.uniform(0.5, 1.3) * (ratio > 1)  # what a camera's pixel averages
        own = severity * config.sigma * dice.uniform(0.1, 1.1)
        round_ones = dice.chance(0.6)
        blur = Blur(
            (own**2 + pixel**2).sqrt(),
            torch.where(round_ones, 1.0, dice.uniform(0.4, 1.0)),
            dice.uniform(0, torch.pi),
            severity * torch.where(dice.chance(0.15), dice.uniform(0, 14), 0.0),
        )
        moves = (ratio > MOVING_FROM_RATIO).float()
        camera = Camera(
            ratio,
            random_path(dice, frames, config.turn, 0.002, 0.01) * moves[:, None],
            (random_path(dice, frames, 2.0, 0.25, 0.8, width=2) * moves[:, None, None]).clamp(-12, 12),
        )
        low, high = config.qp
        codec = Codec(
            low + (high - low) * severity * dice.uniform(0.5, 1.1),
            dice.chance(config.table_share),
            dice.chance(0.3),
            dice.chance(0.92) & (severity > 0),
        )
        sigma = severity * config.noise * dice.uniform(0, 1.1)
        return DrawnPass(blur, camera, codec, sigma, dice.chance(0.4))

    def _sharpen(self, video: Tensor, severity: Tensor, dice: Dice) -> Tensor:
        amount = severity * dice.uniform(0.3, 1.5) * dice.chance(self.config.sharpened_share)
        if not bool((amount > 0).any()):
            return video
        ones = torch.ones_like(severity)
        soft = apply_blur(video, Blur(1.5 * ones, ones, 0 * ones, 0 * ones))
        return video + append_axes(amount, 5) * (video - soft)
