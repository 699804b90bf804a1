"""FVD (Unterthiner et al. 2018): the Fréchet distance of I3D features of all results and all references together.

Windows of 16 frames one after the other, 224x224, by the TorchScript file of I3D that StyleGAN-V's authors publish
(`i3d_torchscript.pt`), whose features have 400 numbers. On fewer than some fifty clips the figure says little, so that
the number of windows is told.

N windows, T frames of a window, K features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...types import VFEError
from ...video.resize import resize
from ..metric import Figure, OfSet, Scored, ScoredClip
from ..moment import Moment

WINDOW, SIDE = 16, 224
FIGURE = Figure("fvd", "lower", net="I3D (Kinetics-400), TorchScript")
Features = npt.NDArray[np.float64]
Network = Callable[[Tensor], Tensor]
"""Takes windows (N, 3, T, 224, 224) in [-1, 1], gives features (N, K)."""


class Fvd(OfSet):
    """Gathers features window by window; only they are kept."""

    figure = FIGURE

    def __init__(self, network: Network) -> None:
        self._network = network
        self._features: tuple[list[Features], list[Features]] = ([], [])

    def begin(self, clip: ScoredClip) -> None:  # noqa: ARG002 - as every metric
        """Start with a clip: what is left of the one before was no whole window."""
        self._windows: tuple[list[Tensor], list[Tensor]] = ([], [])

    def see(self, moment: Moment) -> None:
        """Take a frame of both clips."""
        assert moment.clean is not None
        for picture, window, features in zip((moment.shown, moment.clean), self._windows, self._features, strict=True):
            window.append(resize(picture.pixels, (SIDE, SIDE)))
            if len(window) == WINDOW:
                features.append(self._look(torch.stack(window, dim=1)[None]))
                window.clear()

    def scored(self) -> Scored:
        """Return NaN: a clip has no figure of its own."""
        return Scored(math.nan, "it is a distance of all clips together: see the mean")

    def of_set(self) -> Scored:
        """Return the distance of all windows."""
        shown, clean = self._features
        if len(shown) < 2:
            return Scored(math.nan, f"{len(shown)} windows of {WINDOW} frames, needed are two at least")
        return Scored(frechet_distance(np.concatenate(shown), np.concatenate(clean)), f"of {len(shown)} windows")

    @torch.inference_mode()
    def _look(self, window: Tensor) -> Features:
        features: Features = self._network(window).double().cpu().numpy()
        return features


def frechet_distance(a: Features, b: Features) -> float:
    """Return |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two sets of features (N, K)."""
    means = a.mean(0) - b.mean(0)
    covs = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b)]
    # tr (C_a C_b)^(1/2) is the sum of the singular values of A^T B, of which C_a = A A^T and C_b = B B^T.
    roots = [_root(cov) for cov in covs]
    shared = np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum()
    return float(means @ means + np.trace(covs[0]) + np.trace(covs[1]) - 2 * shared)


def _root(covariance: Features) -> Features:
    """Return A (K, K) of a covariance A A^T."""
    values, vectors = np.linalg.eigh(covariance)
    root: Features = vectors * np.sqrt(values.clip(min=0))
    return root


def load_i3d(path: Path, device: str) -> Network:
    """Load the network. Raises VFEError where the file is no TorchScript."""
    try:
        net = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise VFEError(f"{path}: is no TorchScript file ({line[:200]}); needed is StyleGAN-V's {path.name}") from error
    return lambda windows: net(windows.to(device), rescale=False, resize=False, return_features=True)
