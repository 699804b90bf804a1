"""DISTS, the perceptual loss of VividFace (Ding et al. 2020, "Image Quality Assessment: Unifying Structure and Texture
Similarity"), from weight files that the user has: VGG16 and the published alpha and beta.

B images, C channels, H W sides; images are in [0, 1].
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # torchvision's indices of VGG16's convolutions
WIDTHS = (3, 64, 128, 256, 512, 512)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STABILISER = 1e-6


class Dists(nn.Module):
    """1 - sum over channels of alpha l(x, y) + beta s(x, y), with l of the means and s of the covariances (eq. 4)."""

    convs: nn.ModuleDict
    blur: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        for indices, before, width in zip(STAGES, WIDTHS[:-1], WIDTHS[1:], strict=True):
            for place, index in enumerate(indices):
                self.convs[str(index)] = nn.Conv2d(before if place == 0 else width, width, 3, padding=1)
        self.alpha, self.beta = (nn.Parameter(torch.ones(1, sum(WIDTHS), 1, 1)) for _ in range(2))
        taps = torch.hann_window(5, periodic=False)[1:-1]
        kernel = torch.outer(taps, taps)
        self.register_buffer("blur", (kernel / kernel.sum())[None, None], persistent=False)

    def features(self, images: Tensor) -> list[Tensor]:
        """The image itself and the last activation of each stage; pooling is the L2 norm under a Hann window."""
        mean, std = (torch.tensor(x, device=images.device).view(1, 3, 1, 1) for x in (MEAN, STD))
        x, kept = (images - mean) / std, [images]
        for number, indices in enumerate(STAGES):
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
        alphas, betas = (weight.split(WIDTHS, dim=1) for weight in (self.alpha / total, self.beta / total))
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
    """From torchvision's VGG16 state dict and the published alpha/beta file; ValueError names what does not fit."""
    vgg = torch.load(vgg16, map_location="cpu", weights_only=True)
    published = torch.load(weights, map_location="cpu", weights_only=True)
    state = {
        name.replace("features.", "convs."): value
        for name, value in vgg.items()
        if name.startswith("features.") and int(name.split(".")[1]) <= STAGES[-1][-1]
    }
    state |= {name: published[name] for name in ("alpha", "beta") if name in published}
    model = Dists()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{vgg16} and {weights} are not VGG16 and DISTS weights: {error}") from error
    return model.eval().requires_grad_(False)
