"""The discriminator of DVFace's codebook stage (eq. 10): a PatchGAN for video, and its losses on logits.

The network is a PatchGAN (Isola et al. 2017) whose every block sees frames by a 4x4 convolution and then mixes each
position with the frames before and after it, by three taps that start as the identity: untrained, it looks at each
frame alone. That is less than half the work of 3x4x4 convolutions, and it takes clips of any length, single images too,
as time is never strided. It has spectral norm (Miyato et al. 2018) instead of batch norm, which would need statistics
of a batch: so its logits are the same in several processes and small batches. Both are our own choice.

B batch, T H W frames, h w patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from vfe.models.ops import Conv3d

LEAKY_RELU_SLOPE = 0.2
MAX_WIDTH_FACTOR = 8  # times the first block's width


class RealAndGenerated(NamedTuple):
    """The batch of a discriminator's step: clips (B, 3, T, H, W) in [-1, 1], the generated ones without gradient."""

    real: Tensor
    generated: Tensor


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Sizes of the discriminator. Each of `stages` blocks halves the sides; a patch sees 70 pixels with 3 of them, 34
    with 2."""

    width: int = 64
    stages: int = 3
    temporal: bool = True
    spectral_norm: bool = True
    places: tuple[int, int] | None = None
    """Rows and columns of patches that each have a learned position embedding, for aligned pictures of one size: a
    patch at an eye is then compared with eyes. Our own choice; None, without embeddings, is DVFace's."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.stages < 1:
            raise ValueError(f"discriminator of width={self.width} and stages={self.stages}, needed at least 1 of each")


class DiscriminatorBlock(nn.Module):
    """A 4x4 convolution of each frame, then three taps in time with the outer frames repeated."""

    def __init__(self, before: int, width: int, stride: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        normed = spectral_norm if config.spectral_norm else nn.Identity()
        self.space = normed(Conv3d(before, width, (1, 4, 4), stride=(1, stride, stride), padding=(0, 1, 1)))
        self.time = None
        if config.temporal:
            mix = Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0), padding_mode="replicate", bias=False)
            nn.init.dirac_(mix.weight)
            self.time = normed(mix)

    def forward(self, x: Tensor) -> Tensor:
        x = self.space(x)
        return F.leaky_relu(x if self.time is None else self.time(x), LEAKY_RELU_SLOPE)


class Discriminator(nn.Module):
    """A network that gives one logit for each patch of each frame: above zero where it takes the patch for real."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [3, *(config.width * min(2**number, MAX_WIDTH_FACTOR) for number in range(config.stages + 1))]
        strides = [2] * config.stages + [1]
        self.stages = nn.Sequential(
            *(DiscriminatorBlock(*sizes, config) for sizes in zip(widths[:-1], widths[1:], strides, strict=True))
        )
        self.places = nn.Parameter(torch.zeros(widths[-1], 1, *config.places)) if config.places else None
        logits = Conv3d(widths[-1], 1, (1, 4, 4), padding=(0, 1, 1))
        self.logits = spectral_norm(logits) if config.spectral_norm else logits

    def forward(self, video: Tensor) -> Tensor:
        """The logits (B, 1, T, h, w) of video (B, 3, T, H, W) in [-1, 1], with h = H / 2^stages - 2.

        Raises ValueError for sides that are too small.
        """
        least = 3 * 2**self.config.stages
        if min(video.shape[-2:]) < least:
            raise ValueError(f"frames are {tuple(video.shape[-2:])}, the discriminator needs sides of {least} and more")
        x = self.stages(video)
        logits: Tensor = self.logits(x if self.places is None else x + self.places)
        return logits


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(x^)) of logits, means over patches: the loss that the discriminator minimises (eq. 10
    negated)."""
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """-log D(x^) of logits: the non-saturating form (Goodfellow et al. 2014) of eq. 10's log(1 - D(x^)), which has no
    gradient where the discriminator is sure."""
    return F.softplus(-fake.float()).mean()


def logits_for_generator(discriminator: nn.Module, *generated: Tensor | Sequence[Tensor]) -> Tensor:
    """The discriminator's logits of what it is given, such as generated video (B, 3, T, H, W), with a gradient to that
    alone: in the generator's step the discriminator's weights get none."""
    weights = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    logits: Tensor = functional_call(discriminator, weights, generated)
    return logits


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """|grad reconstruction| / (|grad adversarial| + 1e-4) at the decoder's last weights, at most 1e4, without gradient.

    It is VQGAN's (Esser et al. 2021, eq. 7) and not used by our stages, as DVFace multiplies its loss by 0.8 alone.
    """
    norms = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (reconstruction, adversarial)]
    return (norms[0] / (norms[1] + 1e-4)).clamp(max=1e4).detach()
