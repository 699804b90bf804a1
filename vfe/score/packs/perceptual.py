"""LPIPS and DISTS to the reference, by weight files that the user has; each figure names its network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ...perceptual.dists import load_dists
from ...perceptual.lpips import load_lpips, load_lpips_alex
from ..metric import Figure, Metric, Missing, OfSomeFrames
from ..moment import Moment
from .weight_files import ALEXNET, DISTS, LPIPS_ALEX, LPIPS_VGG, VGG16, find_weights

LEAST_SIDE = {"lpips_vgg": 16, "lpips_alex": 32, "dists": 16}
FIGURES = {
    "lpips_vgg": Figure("lpips_vgg", "lower", net="VGG16, LPIPS v0.1"),
    "lpips_alex": Figure("lpips_alex", "lower", net="AlexNet, LPIPS v0.1"),
    "dists": Figure("dists", "lower", net="VGG16, DISTS"),
}


class PerceptualDistance(OfSomeFrames):
    """The mean over frames of a network's distance to the reference."""

    def __init__(self, figure: Figure, distance: nn.Module, every: int, device: str) -> None:
        super().__init__(every)
        self.figure, self._distance, self._device = figure, distance.to(device), device
        self.why = f"a side of the frame is under {LEAST_SIDE[figure.name]} pixels"

    @torch.inference_mode()
    def value(self, moment: Moment) -> float | None:
        """Return the distance of a frame."""
        assert moment.clean is not None
        if min(moment.shown.size) < LEAST_SIDE[self.figure.name]:
            return None
        shown, clean = (picture.image.to(self._device) for picture in (moment.shown, moment.clean))
        return float(self._distance(shown, clean))


class PerceptualNetworks:
    """The distances whose files are there."""

    def __init__(self, weights: Path | None) -> None:
        """Raises VFEError where a file is another than its name says."""
        vgg16, alexnet = find_weights(weights, VGG16), find_weights(weights, ALEXNET)
        self.loaded: dict[str, nn.Module] = {}
        self.missing: dict[str, str] = {}
        for name, backbone, own, load in (
            ("lpips_vgg", (VGG16, vgg16), LPIPS_VGG, load_lpips),
            ("lpips_alex", (ALEXNET, alexnet), LPIPS_ALEX, load_lpips_alex),
            ("dists", (VGG16, vgg16), DISTS, load_dists),
        ):
            file = find_weights(weights, *own)
            if backbone[1] is not None and file is not None:
                self.loaded[name] = load(backbone[1], file)
                continue
            lacking = [named for named, found in (backbone, (own[0], file)) if found is None]
            self.missing[name] = f"{' and '.join(lacking)} not found; put it into the folder of --weights"

    def metrics(self, every: int, device: str) -> list[Metric]:
        """Return the metrics, and what stands in for those without files."""
        return [
            PerceptualDistance(figure, self.loaded[name], every, device)
            if name in self.loaded
            else Missing(figure, self.missing[name])
            for name, figure in FIGURES.items()
        ]
