"""The convolutions of AlexNet (Krizhevsky 2014, "One weird trick") under torchvision's names.

N images, H W sides; images are in [0, 1].
"""

from __future__ import annotations

from torch import Tensor, nn

from .vgg import IMAGENET_MEAN, IMAGENET_STD

ALEXNET_WIDTHS = (64, 192, 384, 256, 256)
ALEXNET_FILE = "torchvision's AlexNet state dict (alexnet-owt-7be5be79.pth)"
ACTIVATIONS = (1, 4, 7, 9, 11)


class AlexNetFeatures(nn.Module):
    """The outputs of the five activations."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = ALEXNET_WIDTHS
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1), nn.ReLU(),
            nn.Conv2d(d, e, 3, padding=1), nn.ReLU(),
        )  # fmt: skip

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of images (N, 3, H, W) in [0, 1], sides of 32 and more."""
        mean, std = (images.new_tensor(value).view(1, 3, 1, 1) for value in (IMAGENET_MEAN, IMAGENET_STD))
        x, kept = (images - mean) / std, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in ACTIVATIONS:
                kept.append(x)
        return kept
