"""The convolutions of VGG16 and VGG19 (Simonyan & Zisserman 2014) under torchvision's names, and the distance of VGG19
features of DVFace's prior (eq. 10).

N images, C channels, H W sides; images are in [0, 1].
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..tensor_io.load import build_on_meta, load_strictly, shapes_of
from .weight_file import read_weights

Widths = tuple[tuple[int, ...], ...]
"""Channels of each convolution, stage by stage."""

VGG16: Widths = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
VGG19: Widths = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
VGG16_FILE = "torchvision's VGG16 state dict (vgg16-397923af.pth)"
VGG19_FILE = "torchvision's VGG19 state dict (vgg19-dcbb9e9d.pth)"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet

# conv1_2, conv2_2, conv3_4, conv4_4, conv5_4 before their ReLU, weighed as Real-ESRGAN and GFPGAN do: DVFace names no
# layer. The deep ones weigh ten times the shallow ones, whose errors the L1 loss already sees.
VGG19_LAYERS = (2, 7, 16, 25, 34)
VGG19_WEIGHTS = (0.1, 0.1, 1.0, 1.0, 1.0)


def conv_stack(widths: Widths) -> nn.Sequential:
    """3x3 convolutions with ReLU, a 2x2 maximum after each stage: indices are those of torchvision's `features`."""
    layers: list[nn.Module] = []
    before = 3
    for stage in widths:
        for width in stage:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGGFeatures(nn.Module):
    """The outputs of the layers with the indices `taps`, in their order."""

    def __init__(self, widths: Widths, taps: tuple[int, ...]) -> None:
        super().__init__()
        self.features, self.taps = conv_stack(widths), taps

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps of images (N, 3, H, W) in [0, 1]; nothing after the last tap is computed."""
        mean, std = (images.new_tensor(value).view(1, 3, 1, 1) for value in (IMAGENET_MEAN, IMAGENET_STD))
        x, kept = (images - mean) / std, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                kept.append(x)
            if index == self.taps[-1]:
                break
        return kept


class VGG19Distance(nn.Module):
    """Sum over five layers of weight x mean squared difference of features (DVFace, eq. 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = VGGFeatures(VGG19, VGG19_LAYERS)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (N, 3, H, W) images: 0 for equal ones."""
        terms = [
            weight * (a - b).square().mean()
            for a, b, weight in zip(self.vgg(prediction), self.vgg(target), VGG19_WEIGHTS, strict=True)
        ]
        return torch.stack(terms).sum()


def load_vgg19(path: Path) -> VGG19Distance:
    """Load the distance from torchvision's state dict, frozen. Raises VFEError where the file holds something else."""
    model = build_on_meta(VGG19Distance)
    state = read_weights(path, shapes_of(model.vgg), VGG19_FILE)
    load_strictly(model.vgg, state.__getitem__, path, device=torch.device("cpu"), dtype=torch.float32)
    return model.eval()
