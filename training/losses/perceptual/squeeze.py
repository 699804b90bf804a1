"""Perceptual distance by SqueezeNet 1.1 (Iandola et al. 2016) with the linear heads of LPIPS (Zhang et al. 2018).

Small enough to train with on a CPU. What judges a restorer must be another network.

N images, C channels, h w places.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfe.perceptual.lpips import weighted_distance
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError

SQUEEZE_FILE = "squeezenet1_1.safetensors"
BGR_MEAN = (104.0, 117.0, 123.0)  # of blue, green and red, in levels of 255
FIRE_PAIRS = (("fire2", "fire3"), ("fire4", "fire5"))
LAST_FIRES = ("fire6", "fire7", "fire8", "fire9")
TAP_COUNT = 7


class SqueezeDistance(nn.Module):
    """The weighted squared difference of features of length one, summed over the seven taps: 0 for equal images."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.names = {name: name.replace("/", "_").replace(".", "_") for name in weights}
        for name, value in weights.items():
            self.register_buffer(self.names[name], value, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (N, 3, H, W) images in [0, 1]; no gradient to the target."""
        with torch.no_grad():
            wanted = self.features(target)
        terms = [
            weighted_distance(a, b, self._weight(f"head.{index}").flatten())
            for index, (a, b) in enumerate(zip(self.features(prediction), wanted, strict=True))
        ]
        return torch.stack(terms).sum()

    def features(self, images: Tensor) -> list[Tensor]:
        """The feature maps of images (N, 3, H, W) in [0, 1] at the seven taps, in order."""
        x = (images * 255).flip(1) - images.new_tensor(BGR_MEAN)[:, None, None]
        taps = [self._conv(x.contiguous(memory_format=torch.channels_last), "conv1", stride=2)]
        for first, second in FIRE_PAIRS:
            taps.append(self._fire(self._fire(self._pool(taps[-1]), first), second))
        x = self._pool(taps[-1])
        for name in LAST_FIRES:
            x = self._fire(x, name)
            taps.append(x)
        return taps

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = getattr(self, self.names[name])
        return weight

    def _conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        return F.relu(F.conv2d(x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"), stride, padding))

    def _fire(self, x: Tensor, name: str) -> Tensor:
        squeezed = self._conv(x, f"{name}/squeeze1x1")
        wide = self._conv(squeezed, f"{name}/expand1x1"), self._conv(squeezed, f"{name}/expand3x3", padding=1)
        return torch.cat(wide, 1)

    def _pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, 2, ceil_mode=True)


def load_squeeze(path: Path) -> SqueezeDistance:
    """Load the distance from a file, frozen. Raises VFEError where the file holds something else."""
    source = open_tensors(path)
    weights = {name: source.get(name).float().clone() for name in source}
    layers = ("conv1", *(f"{fire}/squeeze1x1" for stage in (*FIRE_PAIRS, LAST_FIRES) for fire in stage))
    wanted = {*(f"{layer}.weight" for layer in layers), *(f"head.{index}" for index in range(TAP_COUNT))}
    if not wanted <= weights.keys():
        missing = sorted(wanted - weights.keys())
        raise VFEError(f"{path}: {missing[0]} is missing; needed SqueezeNet 1.1 with LPIPS's heads")
    return SqueezeDistance(weights).eval().requires_grad_(False)
