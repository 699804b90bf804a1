"""Families of damage at rising severity, and the dimension of a verdict that each of them has to lower.

They begin where the damage is more than the good that it does: denoising takes noise away too, a little grain
hides flattened skin, a soft picture gains by sharpening and a dark one by light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vfe.degradations.blur import Blur, Sinc
from vfe.degradations.chain import Piece
from vfe.degradations.codec import Codec
from vfe.degradations.denoise import Denoise
from vfe.degradations.dropped_frames import Repeat
from vfe.degradations.dust import Dust
from vfe.degradations.exposure import Exposure
from vfe.degradations.fade import Fade
from vfe.degradations.flicker import Flicker
from vfe.degradations.frames import to_frames, to_planes
from vfe.degradations.grain import Grain
from vfe.degradations.jpeg import Jpeg
from vfe.degradations.noise import Noise
from vfe.degradations.resize import Resize, resized
from vfe.degradations.scratches import Scratches
from vfe.degradations.sensor import SensorNoise
from vfe.degradations.sharpen import Sharpen
from vfe.degradations.weave import Weave

Plane = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Own:
    """A piece of damage that is only of the tests: a function of planes (T, 3, H, W) from 0 to 255."""

    change: Plane

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:  # noqa: ARG002 - as every piece
        return self.change(planes)

    def milder(self, severity: float) -> Own:  # noqa: ARG002 - as every piece
        return self


def enlarged(ratio: float) -> Own:
    """Made smaller, and large again."""

    def change(planes: Tensor) -> Tensor:
        small = Resize(1 / ratio)(planes, np.random.default_rng(0))
        return resized(small, (planes.shape[2], planes.shape[3]), "bicubic")

    return Own(change)


def some_frames_blurred(sigma: float) -> Own:
    """Every third frame is blurred along a line, as where a head or the camera moves fast."""

    def change(planes: Tensor) -> Tensor:
        moved = planes.clone()
        moved[1::3] = Blur((sigma, 0.3), angle=0.5)(planes[1::3], np.random.default_rng(0))
        return moved

    return Own(change)


def banded(step: float) -> Own:
    """Few levels."""
    return Own(lambda planes: (planes / step).floor() * step + step / 2)


def shadowed(depth: float) -> Own:
    """One half of the picture in shadow, with a soft edge."""

    def change(planes: Tensor) -> Tensor:
        line = torch.linspace(-1, 1, planes.shape[3])
        return planes * (1 - depth * torch.sigmoid(line * 12))

    return Own(change)


def patched(share: float) -> Own:
    """A grey board before the face, from the chin up."""

    def change(planes: Tensor) -> Tensor:
        height, width = planes.shape[2:]
        board = planes.clone()
        board[:, :, round(height * (0.85 - share)) : round(height * 0.9), width // 6 : -width // 6] = 105.0
        return board

    return Own(change)


DAMAGE: dict[str, tuple[str, tuple[Piece, ...]]] = {
    "blur": ("detail", tuple(Blur((sigma, sigma)) for sigma in (1.0, 2.0, 4.0))),
    "blur along a line": ("detail", tuple(Blur((sigma, 0.4), 0.5) for sigma in (2.0, 4.0, 8.0))),
    "sinc": ("detail", tuple(Sinc(cut, 21) for cut in (1.4, 1.0, 0.7))),
    "enlarged": ("detail", tuple(enlarged(ratio) for ratio in (2.5, 3.5, 5.0))),
    "enlarged as an artefact": ("artefacts", tuple(enlarged(ratio) for ratio in (2.5, 3.5, 5.0))),
    "gaussian noise": ("artefacts", tuple(Noise(sigma, False, False, 0.0) for sigma in (4.0, 8.0, 16.0))),
    "shot noise": ("artefacts", tuple(Noise(sigma, True, True, 0.0) for sigma in (6.0, 12.0, 20.0))),
    "sensor noise": ("artefacts", tuple(SensorNoise(sigma, 0.7 * sigma) for sigma in (4.0, 8.0, 14.0))),
    "grain": ("artefacts", tuple(Grain(sigma, 0.8, 0.2) for sigma in (14.0, 22.0, 32.0))),
    "x264": ("artefacts", tuple(Codec("libx264", crf) for crf in (28, 33, 38))),
    "mpeg2": ("artefacts", tuple(Codec("mpeg2video", scale) for scale in (8, 16, 31))),
    "mpeg4": ("artefacts", tuple(Codec("mpeg4", scale) for scale in (8, 16, 31))),
    "mjpeg": ("artefacts", tuple(Codec("mjpeg", scale) for scale in (8, 16, 31))),
    "jpeg": ("artefacts", tuple(Jpeg(quality) for quality in (40, 20, 8))),
    "sharpening": ("artefacts", tuple(Sharpen(amount, 1.0) for amount in (2.4, 3.6, 5.0))),
    "denoising": ("artefacts", tuple(Denoise(2, threshold, 0.3) for threshold in (20.0, 40.0, 80.0))),
    "banding": ("artefacts", tuple(banded(step) for step in (6.0, 12.0, 24.0))),
    "dust": ("artefacts", tuple(Dust(rate, 0.02) for rate in (2.0, 8.0, 30.0))),
    "deeper scratches": ("artefacts", tuple(Scratches(4, 1.2, depth) for depth in (0.25, 0.5, 0.8))),
    "more scratches": ("artefacts", tuple(Scratches(count, 1.2, 0.6) for count in (3, 8, 20))),
    "some frames blurred": ("stability", tuple(some_frames_blurred(sigma) for sigma in (1.0, 2.0, 4.0))),
    "weave": ("stability", tuple(Weave(pixels) for pixels in (0.5, 1.5, 4.0))),
    "flicker": ("stability", tuple(Flicker(gain, 0.0, 0.0) for gain in (0.03, 0.08, 0.2))),
    "lost frames": ("stability", tuple(Repeat(share) for share in (0.1, 0.27, 0.8))),
    "dark": ("lighting", tuple(Exposure(gain, 1.0, 1.0, 0.0) for gain in (0.7, 0.45, 0.25))),
    "bright": ("lighting", tuple(Exposure(gain, 1.0, 1.0, 0.0) for gain in (2.3, 2.8, 3.6))),
    "cast": ("lighting", tuple(Exposure(1.0, 1 - cast, 1 - cast, 0.0) for cast in (0.2, 0.35, 0.5))),
    "fading": ("lighting", tuple(Fade(black, 255 - black, 1.0, 1.0, (1.0, 1.0, 1.0)) for black in (25, 50, 80))),
    "shadow": ("lighting", tuple(shadowed(depth) for depth in (0.3, 0.55, 0.8))),
    "board": ("occlusion", tuple(patched(share) for share in (0.15, 0.25, 0.4))),
}


def damaged(frames: Tensor, piece: Piece) -> Tensor:
    """Frames (T, S, S, 3) uint8 after a piece of damage, the same each time."""
    return to_frames(piece(to_planes(frames), np.random.default_rng(7)))
