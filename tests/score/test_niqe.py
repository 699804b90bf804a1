"""NIQE: its fits find what samples were drawn from, its filter is the published one, and files are told apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.scored_clips import moments, score
from vfe.score.metrics.niqe import NaturalModel, Niqe, own_model, read_model
from vfe.score.metrics.nss import fit_asymmetric, halved, locally_normal, patches_of
from vfe.types import VFEError


def gaussian(height: int, width: int, seed: int, sigma: float = 40.0) -> torch.Tensor:
    return 128 + sigma * torch.randn(height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shape", "draw"), [(2.0, "normal"), (1.0, "laplace")])
def test_the_fit_finds_the_shape_of_its_samples(shape: float, draw: str) -> None:
    rng = np.random.default_rng(0)
    samples = getattr(rng, draw)(0, 3, (4, 200_000))
    alpha, left, right = fit_asymmetric(samples)
    scale = 3 * math.sqrt(2) if draw == "normal" else 3.0
    assert np.allclose(alpha, shape, rtol=0.03)
    assert np.allclose(left, scale, rtol=0.03)
    assert np.allclose(right, scale, rtol=0.03)


def test_the_fit_sees_two_sides() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1, (1, 200_000))
    samples = np.where(samples < 0, samples, 3 * samples)
    _, left, right = fit_asymmetric(samples)
    assert right[0] / left[0] == pytest.approx(3, rel=0.05)


def test_samples_of_one_side_have_no_fit() -> None:
    alpha, _, _ = fit_asymmetric(np.ones((1, 100)))
    assert np.isnan(alpha).all()


def test_halving_keeps_planes_and_takes_away_what_aliases() -> None:
    ramp = torch.arange(40, dtype=torch.float64).expand(40, 40)
    assert torch.allclose(halved(ramp)[:, 3:-3], halved(ramp).new_tensor(np.arange(20) * 2 + 0.5)[3:-3])
    stripes = torch.tensor([0.0, 255.0], dtype=torch.float64).repeat(20).expand(40, 40)
    assert float(halved(stripes)[4:-4, 4:-4].std()) < 1e-6


def test_normalising_takes_the_contrast_away() -> None:
    faint, strong = (locally_normal(gaussian(96, 96, 0, sigma).double()) for sigma in (20.0, 40.0))
    assert float(strong[1].mean() / faint[1].mean()) == pytest.approx(2, rel=1e-3)
    assert float(strong[0].std() / faint[0].std()) == pytest.approx(1, abs=0.03)
    assert abs(float(strong[0].mean())) < 0.02


def test_a_picture_is_nearest_to_the_model_of_its_kind() -> None:
    fitted = NaturalModel.fitted(np.concatenate([patches_of(gaussian(192, 288, seed)).features for seed in range(10)]))
    same, blurred = gaussian(192, 288, 99), gaussian(192, 288, 99)
    blurred = torch.nn.functional.avg_pool2d(blurred[None], 3, 1, 1)[0]
    near, far = (fitted.distance(patches_of(picture).features) for picture in (same, blurred))
    assert near is not None
    assert far is not None
    assert near < far / 3


def test_small_frames_have_a_reason() -> None:
    frame = torch.zeros(3, 64, 64, dtype=torch.uint8)
    found = score(Niqe("niqe_own", own_model()), moments([frame]))
    assert math.isnan(found.value)
    assert "fewer than two patches of 96 pixels" in found.why


def test_noise_and_blur_are_less_natural_than_a_portrait() -> None:
    astronaut = pytest.importorskip("skimage.data").astronaut()
    clean = torch.from_numpy(astronaut).permute(2, 0, 1).contiguous()
    generator = torch.Generator().manual_seed(0)
    noisy = (clean.float() + 25 * torch.randn(clean.shape, generator=generator)).clamp(0, 255).byte()
    soft = torch.nn.functional.avg_pool2d(clean.float(), 9, 1, 4, count_include_pad=False).byte()
    metric = Niqe("niqe_own", own_model())
    natural, worse, worst = (score(metric, moments([frame])).value for frame in (clean, noisy, soft))
    assert natural < min(worse, worst)


MEAN, COVARIANCE = np.arange(36.0), np.eye(36)


@pytest.mark.parametrize("names", [("mu_pris_param", "cov_pris_param"), ("pop_mu", "pop_cov")])
@pytest.mark.parametrize("ending", ["npz", "mat"])
def test_published_parameters_are_read(tmp_path: Path, names: tuple[str, str], ending: str) -> None:
    from scipy.io import savemat

    file = tmp_path / f"parameters.{ending}"
    values: dict[str, Any] = {names[0]: MEAN[None], names[1]: COVARIANCE}
    np.savez(file, **values) if ending == "npz" else savemat(file, values)
    model = read_model(file)
    assert np.array_equal(model.mean, MEAN)
    assert np.array_equal(model.covariance, COVARIANCE)


@pytest.mark.parametrize("name", ["torn.npz", "torn.mat", "other.npz", "shape.npz", "nan.npz"])
def test_other_files_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"nothing of the kind")
    if name == "other.npz":
        np.savez(file, weights=MEAN)
    if name == "shape.npz":
        np.savez(file, pop_mu=MEAN[:4], pop_cov=COVARIANCE)
    if name == "nan.npz":
        np.savez(file, pop_mu=MEAN * np.nan, pop_cov=COVARIANCE)
    with pytest.raises(VFEError, match=r"holds no parameters of NIQE") as caught:
        read_model(file)
    assert "\n" not in str(caught.value)
