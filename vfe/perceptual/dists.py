"""DISTS, the perceptual loss of VividFace (Ding et al. 2020, "Image Quality Assessment: Unifying Structure and Texture
Similarity"), from weight files that the user has: VGG16 and the published alpha and beta.

B images, C channels, H W sides; images are in [0, 1].
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vgg import IMAGENET_MEAN, IMAGENET_STD, VGG16_FILE
from .weight_file import read_weights

VGG16_STAGES = (
    (0, 2),
    (5, 7),
    (10, 12, 14),
    (17, 19, 21),
    (24, 26, 28),
)  # torchvision's indices of VGG16's convolutions
VGG16_WIDTHS = (3, 64, 128, 256, 512, 512)
DISTS_FILE = "the alpha and beta of DISTS (its weights.pt)"
STABILISER = 1e-6


class Dists(nn.Module):
    """1 - sum over channels of alpha l(x, y) + beta s(x, y), with l of the means and s of the covariances (eq. 4)."""

    convs: nn.ModuleDict
    blur: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        for indices, before, width in zip(VGG16_STAGES, VGG16_WIDTHS[:-1], VGG16_WIDTHS[1:], strict=True):
            for position, index in enumerate(indices):
                self.convs[str(index)] = nn.Conv2d(before if position == 0 else width, width, 3, padding=1)
        self.alpha, self.beta = (nn.Parameter(torch.ones(1, sum(VGG16_WIDTHS), 1, 1)) for _ in range(2))
        taps = torch.hann_window(5, periodic=False)[1:-1]
        kernel = torch.outer(taps, taps)
        self.register_buffer("blur", (kernel / kernel.sum())[None, None], persistent=False)

    def features(self, images: Tensor) -> list[Tensor]:
        """The image itself and the last activation of each stage; pooling is the L2 norm under a Hann window."""
        mean, std = (torch.tensor(x, device=images.device).view(1, 3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
        x, kept = (images - mean) / std, [images]
        for number, indices in enumerate(VGG16_STAGES):
            if number:
                kernel = self.blur.expand(x.shape[1], -1, -1, -1)
                x = (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()
            for index in indices:
                x = F.relu(self.convs[str(index)](x))
            kept.append(x)
        return kept

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Mean distance of (B, 3, H, W) images: 0 for equal ones."""
        total = self.alpha.sum() + self.beta.sum()
        alphas, betas = (weight.split(VGG16_WIDTHS, dim=1) for weight in (self.alpha / total, self.beta / total))
        similarity = torch.zeros((), device=prediction.device)
        for x, y, alpha, beta in zip(self.features(prediction), self.features(target), alphas, betas, strict=True):
            mx, my = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
            vx, vy = ((z - m).square().mean((2, 3), keepdim=True) for z, m in ((x, mx), (y, my)))
            cov = (x * y).mean((2, 3), keepdim=True) - mx * my
            likeness = alpha * (2 * mx * my + STABILISER) / (mx**2 + my**2 + STABILISER)
            structure = beta * (2 * cov + STABILISER) / (vx + vy + STABILISER)
            similarity = similarity + (likeness + structure).sum(1).mean()
        return 1 - similarity


def load_dists(vgg16: Path, weights: Path) -> Dists:
    """Load DISTS from torchvision's VGG16 state dict and the published alpha and beta, frozen.

    Raises VFEError where a file holds something else.
    """
    model = Dists()
    convs = {name.replace("convs.", "features."): name for name in model.state_dict() if name.startswith("convs.")}
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    vgg = read_weights(vgg16, {theirs: shapes[ours] for theirs, ours in convs.items()}, VGG16_FILE)
    published = read_weights(weights, {name: shapes[name] for name in ("alpha", "beta")}, DISTS_FILE)
    model.load_state_dict({ours: vgg[theirs] for theirs, ours in convs.items()} | published)
    return model.eval().requires_grad_(False)
