"""Perceptual losses from weight files that the user has, and what stands in where there are none."""

from vfe.perceptual.dists import Dists, load_dists
from vfe.perceptual.lpips import Lpips, load_lpips
from vfe.perceptual.vgg import VGG19Distance, load_vgg19

from .choose import Chosen, MultiScaleStructure, choose_dists, choose_lpips, choose_vgg
from .files import PerceptualConfig
from .frames import FrameLoss

__all__ = [
    "Chosen",
    "Dists",
    "FrameLoss",
    "Lpips",
    "MultiScaleStructure",
    "PerceptualConfig",
    "VGG19Distance",
    "choose_dists",
    "choose_lpips",
    "choose_vgg",
    "load_dists",
    "load_lpips",
    "load_vgg19",
]
