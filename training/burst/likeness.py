"""How little two pictures show the same person, by HSE-FaceRes (Savchenko 2021): MobileNet v1 that was trained on
VGGFace2 to tell people apart.

A loss of training alone. It is not the network that judges a restorer (dlib's), which has other layers and learned from
other people.

N images, C channels, h w places.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfe.tensor_io.load import load_model
from vfe.tensor_io.open import open_tensors

from ..run.stage import Draw

LIKENESS_FILE = "likeness.safetensors"
BGR_MEAN = (103.94, 116.78, 123.68)  # of blue, green and red, in levels of 255
FIRST_WIDTH = 32
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
FACE_SHARE = 0.78
"""The part of an aligned picture's side that is looked at, around its middle."""
SIDE = 160
"""The side in pixels to which that is scaled: people are told apart as well as at 224 (area under the curve .999)."""
SHARES, SIDES = (0.68, 0.9), (128, 176)
"""Between which a `LikenessView` is drawn."""
MAP_LAYERS = (11, 23)
"""After how many layers `feature_maps` are taken: the last of 20 places a side, and the last of 10."""


class SameConv(nn.Conv2d):
    """A convolution whose result is as large as its input, divided by the stride, padded as TensorFlow pads."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[-1], x.shape[-2])]
        return F.relu6(super().forward(F.pad(x, [pad for all_ in missing for pad in (all_ // 2, all_ - all_ // 2)])))


class LikenessView(NamedTuple):
    """How much of a picture the network gets, how large, and whether mirrored: it tells people apart by all of them,
    and what learns by one alone finds changes that please that one."""

    share: float = FACE_SHARE
    side: int = SIDE
    mirrored: bool = False


AS_JUDGED = LikenessView()


def drawn_view(draw: Draw) -> LikenessView:
    """A view for a step."""
    share, side, mirrored = (draw.common() for _ in range(3))
    low, high = SIDES
    return LikenessView(
        SHARES[0] + share * (SHARES[1] - SHARES[0]), 16 * round((low + side * (high - low)) / 16), mirrored < 0.5
    )


class LikenessNet(nn.Module):
    """The embedding (N, 1024), of length one, of images (N, 3, S, S) of aligned faces in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [SameConv(3, FIRST_WIDTH, 3, 2)]
        for before, width, stride in zip((FIRST_WIDTH, *WIDTHS), WIDTHS, STRIDES, strict=False):
            layers += [SameConv(before, before, 3, stride, groups=before), SameConv(before, width, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.embedding(self.feature_maps(images)[-1])

    def embedding(self, features: Tensor) -> Tensor:
        """The embedding (N, 1024) for the deepest of the feature maps."""
        return F.normalize(self.layers[MAP_LAYERS[-1] :](features).float().mean((2, 3)), dim=1)

    def feature_maps(self, images: Tensor, view: LikenessView = AS_JUDGED) -> list[Tensor]:
        """The features (N, C, h, w) of images (N, 3, S, S) in [0, 1] at two depths within, fine ones first."""
        x, maps = self._scaled(images, view), []
        for first, end in zip((0, *MAP_LAYERS), MAP_LAYERS, strict=False):
            x = self.layers[first:end](x)
            maps.append(x)
        return maps

    def _scaled(self, images: Tensor, view: LikenessView) -> Tensor:
        """The middle of the pictures as the layers want it: (N, 3, view.side, view.side), blue first."""
        side, sides = images.shape[-1], (view.side, view.side)
        margin = round(side * (1 - view.share) / 2)
        face = images[:, :, margin : side - margin, margin : side - margin]
        face = F.interpolate(face.float(), size=sides, mode="bilinear", antialias=True, align_corners=False)
        face = face.flip(-1) if view.mirrored else face
        x = (face * 255).flip(1) - face.new_tensor(BGR_MEAN)[:, None, None]
        return x.contiguous(memory_format=torch.channels_last)


class Likeness(NamedTuple):
    """How far two pictures of a person are apart; means over images."""

    person: Tensor
    """1 - cos of the embeddings: 0 for equal pictures, about 0.2 for one person, about 0.6 for two."""
    features: Tensor
    """1 - cos of the features at each place, within the network: eyes that look like those eyes."""


class LikenessDistance(nn.Module):
    """Compares two pictures by the network that tells people apart."""

    def __init__(self, net: LikenessNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, prediction: Tensor, target: Tensor, view: LikenessView = AS_JUDGED) -> Likeness:
        """The distances of (N, 3, S, S) images in [0, 1]; no gradient to the target."""
        with torch.no_grad():
            wanted = self.net.feature_maps(target, view)
            who = self.net.embedding(wanted[-1])
        given = self.net.feature_maps(prediction, view)
        places = [
            1 - F.cosine_similarity(a.float(), b.float(), dim=1).mean() for a, b in zip(given, wanted, strict=True)
        ]
        return Likeness(1 - (self.net.embedding(given[-1]) * who).sum(1).mean(), torch.stack(places).mean())


def load_likeness(path: Path) -> LikenessDistance:
    """Load the distance from a file that training.burst.likeness_file made, frozen.

    Raises VFEError where the file holds something else.
    """
    return LikenessDistance(load_model(LikenessNet, open_tensors(path)))
