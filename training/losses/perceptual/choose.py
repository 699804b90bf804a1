"""Which perceptual loss a run uses: the one of its weight files, or a named one that needs none. Never silently: each
choice comes with a line for the run to print.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from vfe.perceptual.dists import load_dists
from vfe.perceptual.lpips import load_lpips
from vfe.perceptual.vgg import load_vgg19

from ..terms import multi_scale_structure_loss
from .files import PerceptualConfig
from .frames import FrameLoss
from .squeeze import load_squeeze

STAND_IN = "multi-scale structure (1 - SSIM over up to five scales)"


class Chosen(NamedTuple):
    """A frozen loss of two videos (B, 3, T, H, W) in [-1, 1] -> scalar, and what to tell the user about it."""

    loss: nn.Module
    line: str


class MultiScaleStructure(nn.Module):
    """`multi_scale_structure_loss` in float32: the stand-in for every perceptual network."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return multi_scale_structure_loss(prediction.float(), target.detach().float())


def choose_vgg(files: PerceptualConfig) -> Chosen:
    """L2 of VGG19 features where perceptual.vgg19 is given. Raises VFEError where the file is another."""
    if files.vgg19 is None:
        return _stand_in("VGG19 features", "perceptual.vgg19")
    loss = load_vgg19(Path(files.vgg19))
    return Chosen(FrameLoss(loss, files.chunk), "perceptual: L2 of VGG19 features (weights of perceptual.vgg19)")


def choose_lpips(files: PerceptualConfig) -> Chosen:
    """LPIPS where perceptual.vgg16 and .lpips are given. Raises VFEError where a file is another."""
    if files.vgg16 is None or files.lpips is None:
        return _stand_in("LPIPS", _missing(files, "lpips"))
    loss = load_lpips(Path(files.vgg16), Path(files.lpips))
    line = "perceptual: LPIPS v0.1 (weights of perceptual.vgg16 and perceptual.lpips)"
    return Chosen(FrameLoss(loss, files.chunk), line)


def choose_dists(files: PerceptualConfig) -> Chosen:
    """DISTS where perceptual.vgg16 and .dists are given, LPIPS's heads on SqueezeNet where perceptual.squeeze is.

    Raises VFEError where a file is another.
    """
    if files.squeeze is not None:
        distance = load_squeeze(Path(files.squeeze))
        return Chosen(FrameLoss(distance, files.chunk), "perceptual: SqueezeNet 1.1 (weights of perceptual.squeeze)")
    if files.vgg16 is None or files.dists is None:
        return _stand_in("DISTS", _missing(files, "dists"))
    loss = load_dists(Path(files.vgg16), Path(files.dists))
    return Chosen(FrameLoss(loss, files.chunk), "perceptual: DISTS (weights of perceptual.vgg16 and perceptual.dists)")


def _missing(files: PerceptualConfig, own: str) -> str:
    """The missing ones of VGG16 and `own`, by their names in the config."""
    return " and ".join(f"perceptual.{name}" for name in ("vgg16", own) if getattr(files, name) is None)


def _stand_in(wanted: str, missing: str) -> Chosen:
    return Chosen(
        MultiScaleStructure(), f"perceptual: {wanted} not used, as no {missing} is given; {STAND_IN} stands in for it"
    )
