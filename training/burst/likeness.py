"""How little two pictures show the same person, by HSE-FaceRes (Savchenko 2021): MobileNet v1 that was trained on
VGGFace2 to tell people apart.

A loss of training alone. It is not the network that judges a restorer (dlib's), which has other layers and learned from
other people.

N images, C channels, h w places.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfe.tensor_io.load import load_model
from vfe.tensor_io.open import open_tensors

LIKENESS_FILE = "likeness.safetensors"
BGR_MEAN = (103.94, 116.78, 123.68)  # of blue, green and red, in levels of 255
FIRST_WIDTH = 32
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
FACE_SHARE = 0.78
"""The part of an aligned picture's side that is looked at, around its middle."""
SIDE = 160
"""The side in pixels to which that is scaled: people are told apart as well as at 224 (area under the curve .999)."""
MAP_LAYERS = (11, 23)
"""After how many layers `feature_maps` are taken: the last of 20 places a side, and the last of 10."""


class SameConv(nn.Conv2d):
    """A convolution whose result is as large as its input, divided by the stride, padded as TensorFlow pads."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[-1], x.shape[-2])]
        return F.relu6(super().forward(F.pad(x, [pad for all_ in missing for pad in (all_ // 2, all_ - all_ // 2)])))


class LikenessNet(nn.Module):
    """The embedding (N, 1024), of length one, of images (N, 3, S, S) of aligned faces in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [SameConv(3, FIRST_WIDTH, 3, 2)]
        for before, width, stride in zip((FIRST_WIDTH, *WIDTHS), WIDTHS, STRIDES, strict=False):
            layers += [SameConv(before, before, 3, stride, groups=before), SameConv(before, width, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.layers(self._scaled(images)).float().mean((2, 3)), dim=1)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """The features (N, C, h, w) of images (N, 3, S, S) in [0, 1] at two depths within, fine ones first."""
        x, maps = self._scaled(images), []
        for first, end in zip((0, *MAP_LAYERS), MAP_LAYERS, strict=False):
            x = self.layers[first:end](x)
            maps.append(x)
        return maps

    def _scaled(self, images: Tensor) -> Tensor:
        """The middle of the pictures as the layers want it: (N, 3, SIDE, SIDE), blue first."""
        side = images.shape[-1]
        margin = round(side * (1 - FACE_SHARE) / 2)
        face = images[:, :, margin : side - margin, margin : side - margin]
        face = F.interpolate(face.float(), size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        x = (face * 255).flip(1) - face.new_tensor(BGR_MEAN)[:, None, None]
        return x.contiguous(memory_format=torch.channels_last)


class LikenessDistance(nn.Module):
    """1 - cos of the embeddings of two pictures: 0 for equal ones, about 0.2 for one person, about 0.6 for two."""

    def __init__(self, net: LikenessNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (N, 3, S, S) images in [0, 1]; no gradient to the target."""
        with torch.no_grad():
            wanted = self.net(target)
        return 1 - (self.net(prediction) * wanted).sum(1).mean()


def load_likeness(path: Path) -> LikenessDistance:
    """Load the distance from a file that training.burst.likeness_file made, frozen.

    Raises VFEError where the file holds something else.
    """
    return LikenessDistance(load_model(LikenessNet, open_tensors(path)))
