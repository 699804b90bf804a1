"""A discriminator that looks through networks which are trained already: projected GAN (Sauer et al. 2021).

A network of pixels has to learn first what an edge or an eye is, and learns the restorer's faults of the moment instead
where it has few faces and minutes. Here small heads look at the frozen features of SqueezeNet, and of the network that
tells people apart where there is one. As faces are aligned, each head knows where in the face its features lie, by
learned embeddings of places: what it takes for real at an eye is an eye. The paper has no places; it mixes its features
between depths by random weights, which we leave out.

N images, T frames, S side, C channels, h w places.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..losses.perceptual.squeeze import SqueezeDistance
from .likeness import LikenessDistance

SQUEEZE_TAPS = (0, 1, 2, 6)
MOST_PLACES = 32
"""Rows of logits of a head at most: finer features are looked at in patches, so that no depth outvotes the others."""
WIDTH = 64
LEAKY_RELU_SLOPE = 0.2


class FrozenFeatures(nn.Module):
    """Feature maps (N, C, h, w) of images at several depths, each vector of length sqrt(C); fine ones first."""

    def __init__(self, perceptual: SqueezeDistance, likeness: LikenessDistance | None) -> None:
        super().__init__()
        self.perceptual, self.likeness = perceptual, likeness

    def forward(self, images: Tensor) -> list[Tensor]:
        taps = self.perceptual.features(images)
        maps = [taps[index] for index in SQUEEZE_TAPS]
        if self.likeness is not None:
            maps += self.likeness.net.feature_maps(images)
        return [F.normalize(x.float(), dim=1) * x.shape[1] ** 0.5 for x in maps]


class FeatureHead(nn.Module):
    """Logits (N, places) of features (N, C, h, w) in patches of a few places a side, each beside its neighbours."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        channels, rows = example.shape[1], example.shape[-2]
        patch = -(-rows // MOST_PLACES)
        self.patches = spectral_norm(nn.Conv2d(channels, WIDTH, patch, stride=patch))
        with torch.no_grad():
            self.places = nn.Parameter(torch.zeros(WIDTH, *self.patches(example).shape[-2:]))
        self.around = spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        self.logits = spectral_norm(nn.Conv2d(WIDTH, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        x = F.leaky_relu(self.patches(features) + self.places, LEAKY_RELU_SLOPE)
        logits: Tensor = self.logits(F.leaky_relu(self.around(x), LEAKY_RELU_SLOPE))
        return logits.flatten(1)


class FeatureDiscriminator(nn.Module):
    """Logits of the frames of aligned faces: above zero where a head takes what it sees for real."""

    def __init__(self, side: int, perceptual: SqueezeDistance, likeness: LikenessDistance | None = None) -> None:
        super().__init__()
        features = FrozenFeatures(perceptual, likeness)
        self.features = (features,)  # in a tuple: it is not trained, and is in no saved state
        with torch.no_grad():
            examples = features(torch.zeros(1, 3, side, side, device=next(perceptual.buffers()).device))
        self.heads = nn.ModuleList(FeatureHead(example.cpu()) for example in examples)

    def forward(self, video: Tensor) -> Tensor:
        """The logits (B, T, places of all heads) of video (B, 3, T, S, S) in [-1, 1]."""
        images = rearrange(video / 2 + 0.5, "b c t h w -> (b t) c h w")
        logits = [head(maps) for head, maps in zip(self.heads, self.features[0](images), strict=True)]
        return rearrange(torch.cat(logits, 1), "(b t) n -> b t n", b=len(video))
