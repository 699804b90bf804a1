"""Perceptual losses from weight files that the user has, and what stands in where there are none."""

from .choose import Chosen, MultiScaleStructure, choose_dists, choose_lpips, choose_vgg
from .dists import Dists, load_dists
from .files import PerceptualConfig
from .frames import FrameLoss
from .lpips import Lpips, load_lpips
from .vgg import VGG19Distance, load_vgg19

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
