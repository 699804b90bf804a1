"""LPIPS on AlexNet: the names of torchvision, and the figures of the lpips package with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.perceptual.alexnet import ALEXNET_WIDTHS
from vfe.perceptual.lpips import load_lpips_alex
from vfe.types import VFEError

SHAPES = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}

STRIDES_AND_PADDINGS = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))


def random_files(folder: Path) -> tuple[Path, Path]:
    """A backbone and linear layers under their published names."""
    generator = torch.Generator().manual_seed(0)
    backbone: dict[str, Tensor] = {"classifier.1.weight": torch.zeros(2, 2)}
    for index, shape in SHAPES.items():
        fan_in = shape[1] * shape[2] * shape[3]
        backbone[f"features.{index}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        backbone[f"features.{index}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    linear = {
        f"lin{stage}.model.1.weight": torch.rand(1, width, 1, 1, generator=generator)
        for stage, width in enumerate(ALEXNET_WIDTHS)
    }
    paths = folder / "alexnet.pth", folder / "alex.pth"
    for path, state in zip(paths, (backbone, linear), strict=True):
        torch.save(state, path)
    return paths


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    a = torch.rand(1, 3, 64, 64, generator=generator)
    return a, (a + 0.2 * torch.rand(a.shape, generator=generator)).clamp(0, 1)


def by_hand(a: Tensor, b: Tensor, files: tuple[Path, Path]) -> float:
    """The distance by plain functions."""
    backbone, linear = (torch.load(file, weights_only=True) for file in files)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x, y, total = (a - mean) / std, (b - mean) / std, 0.0
    for stage, (index, (stride, padding)) in enumerate(
        zip(SHAPES, ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1)), strict=True)
    ):
        if stage in (1, 2):
            x, y = F.max_pool2d(x, 3, 2), F.max_pool2d(y, 3, 2)
        weight, bias = backbone[f"features.{index}.weight"], backbone[f"features.{index}.bias"]
        x, y = (F.relu(F.conv2d(z, weight, bias, stride, padding)) for z in (x, y))
        apart = (F.normalize(x) - F.normalize(y)).square()
        total += float((linear[f"lin{stage}.model.1.weight"] * apart).sum(1).mean())
    return total


def test_it_is_the_published_formula(tmp_path: Path) -> None:
    files, (a, b) = random_files(tmp_path), pair()
    model = load_lpips_alex(*files)
    assert float(model(a, b)) == pytest.approx(by_hand(a, b, files), rel=1e-4)
    assert float(model(a, a)) == pytest.approx(0, abs=1e-6)


def test_it_is_that_of_the_lpips_package(tmp_path: Path) -> None:
    lpips = pytest.importorskip("lpips", reason="lpips is not installed, or torchvision that it needs")
    files, (a, b) = random_files(tmp_path), pair()
    package = lpips.LPIPS(pretrained=False, net="alex", pnet_rand=True, verbose=False).eval()
    backbone, linear = (torch.load(file, weights_only=True) for file in files)
    of_package = dict(
        zip(package.net.state_dict(), [v for k, v in backbone.items() if k.startswith("features")], strict=True)
    )
    package.net.load_state_dict(of_package)
    package.load_state_dict(linear, strict=False)
    with torch.no_grad():
        expected = float(package(a, b, normalize=True))
    assert float(load_lpips_alex(*files)(a, b)) == pytest.approx(expected, rel=1e-4)


def test_another_file_is_told(tmp_path: Path) -> None:
    backbone, linear = random_files(tmp_path)
    with pytest.raises(VFEError, match="this file is not torchvision's AlexNet"):
        load_lpips_alex(linear, backbone)
