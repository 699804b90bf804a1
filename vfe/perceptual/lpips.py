"""LPIPS (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric"), version 0.1: on
VGG16 DVFace's perceptual loss (eq. 14), on AlexNet the one that its authors recommend for comparing results.

N images, C channels, H W sides; images are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tensor_io.load import shapes_of
from .alexnet import ALEXNET_FILE, ALEXNET_WIDTHS, AlexNetFeatures
from .vgg import VGG16, VGG16_FILE, VGGFeatures
from .weight_file import read_weights

STAGE_ENDS = (3, 8, 15, 22, 29)  # the last ReLU of each stage
LIN_FILE = "the linear layers of LPIPS v0.1 on VGG16 (lpips/weights/v0.1/vgg.pth)"
ALEX_LIN_FILE = "the linear layers of LPIPS v0.1 on AlexNet (lpips/weights/v0.1/alex.pth)"
LENGTH_EPSILON = 1e-10


def weighted_distance(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """The mean over places of w . (a / |a| - b / |b|)^2, of features (N, C, h, w) and C weights.

    It is multiplied out, as only sums over channels are divided then, and not all features: half the time. A vector of
    zeros stays zero, and its gradient is finite. Always in float32, as near convergence the three sums cancel.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b, weight = a.float(), b.float(), weight.float()
        sums = torch.stack([torch.ones_like(weight), weight])[:, :, None, None]
        (aa, waa), (bb, wbb), (_, wab) = (F.conv2d(x, sums).unbind(1) for x in (a.square(), b.square(), a * b))
    length_a, length_b = ((x + LENGTH_EPSILON**2).sqrt() + LENGTH_EPSILON for x in (aa, bb))
    terms = waa / (length_a * length_a) + wbb / (length_b * length_b) - 2 * wab / (length_a * length_b)
    return terms.mean()


class Lpips(nn.Module):
    """Sum over stages of the mean over places of w . (f(x) / |f(x)| - f(y) / |f(y)|)^2 (eq. 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = VGGFeatures(VGG16, STAGE_ENDS)
        self.weights = nn.ParameterList(torch.ones(1, stage[-1], 1, 1) for stage in VGG16)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (N, 3, H, W) images, sides of 16 and more: 0 for equal ones."""
        return summed_distance(self.vgg(prediction), self.vgg(target), self.weights)


class LpipsAlex(nn.Module):
    """The same on AlexNet."""

    def __init__(self) -> None:
        super().__init__()
        self.alexnet = AlexNetFeatures()
        self.weights = nn.ParameterList(torch.ones(1, width, 1, 1) for width in ALEXNET_WIDTHS)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (N, 3, H, W) images, sides of 32 and more: 0 for equal ones."""
        return summed_distance(self.alexnet(prediction), self.alexnet(target), self.weights)


def summed_distance(prediction: list[Tensor], target: list[Tensor], weights: Iterable[Tensor]) -> Tensor:
    """The sum over stages of `weighted_distance` of the features of two batches of images."""
    stages = zip(prediction, target, weights, strict=True)
    return torch.stack([weighted_distance(a, b, weight.flatten()) for a, b, weight in stages]).sum()


def load_lpips(vgg16: Path, lpips: Path) -> Lpips:
    """Load LPIPS from torchvision's VGG16 state dict and the published linear layers, frozen.

    Raises VFEError where a file holds something else. The linear layers of v0.0 have the same names and shapes, and
    cannot be told apart from those of v0.1.
    """
    model = Lpips()
    model.vgg.load_state_dict(read_weights(vgg16, shapes_of(model.vgg), VGG16_FILE))
    _load_linear(model.weights, lpips, LIN_FILE)
    return model.eval().requires_grad_(False)


def load_lpips_alex(alexnet: Path, lpips: Path) -> LpipsAlex:
    """Load LPIPS on AlexNet likewise, from torchvision's state dict and lpips/weights/v0.1/alex.pth."""
    model = LpipsAlex()
    model.alexnet.load_state_dict(read_weights(alexnet, shapes_of(model.alexnet), ALEXNET_FILE))
    _load_linear(model.weights, lpips, ALEX_LIN_FILE)
    return model.eval().requires_grad_(False)


def _load_linear(weights: nn.ParameterList, path: Path, what: str) -> None:
    """Fill the weights of the stages with the published linear layers."""
    wanted = {f"lin{index}.model.1.weight": tuple(weight.shape) for index, weight in enumerate(weights)}
    published = read_weights(path, wanted, what)
    weights.load_state_dict({str(index): published[name] for index, name in enumerate(wanted)})
