"""facexlib's recognition is asked where it and its weights are there, and only then."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from vfe.report.face_net import FaceNetLikeness
from vfe.report.facexlib import WEIGHTS, FacexlibLikeness, find_weights
from vfe.report.likeness import load_likeness
from vfe.types import VFEError

STAND_IN = """
from torch import nn

class Backbone(nn.Sequential):
    def __init__(self, num_layers, drop_ratio, mode):
        assert (num_layers, drop_ratio, mode) == (50, 0.6, "ir_se")
        super().__init__(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 8))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed facexlib whose net is small, without weights."""
    folder = tmp_path / "facexlib"
    (folder / "recognition").mkdir(parents=True)
    (folder / "weights").mkdir()
    (folder / "__init__.py").touch()
    (folder / "recognition" / "__init__.py").touch()
    (folder / "recognition" / "arcface_arch.py").write_text(STAND_IN, encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == "facexlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


@pytest.fixture(autouse=True)
def forget_the_stand_in() -> object:
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "facexlib"]:
        del sys.modules[name]


def save_weights(package: Path, width: int = 48) -> None:
    torch.manual_seed(0)
    state = {"2.weight": torch.randn(8, width), "2.bias": torch.zeros(8)}
    torch.save(state, package / WEIGHTS)


def test_without_weights_the_bundled_net_is_asked(package: Path) -> None:
    assert find_weights() is None
    assert isinstance(load_likeness(), FaceNetLikeness)
    assert "facexlib.recognition" not in sys.modules
    assert package.is_dir()


def test_with_weights_it_is_asked(package: Path) -> None:
    save_weights(package)
    likeness = load_likeness()
    assert isinstance(likeness, FacexlibLikeness)
    assert likeness.scale.tells_people_apart
    face = torch.rand(3, 256, 256) * 2 - 1
    assert likeness.distance(face, face) == pytest.approx(0, abs=1e-5)
    assert likeness.distance(face, -face) > 0.5


@pytest.mark.parametrize("broken", ["import no_such_package", "raise RuntimeError('operator nms does not exist')"])
def test_where_it_does_not_work_the_bundled_net_is_asked(package: Path, broken: str) -> None:
    save_weights(package)
    (package / "recognition" / "__init__.py").write_text(broken, encoding="utf-8")
    assert isinstance(load_likeness(), FaceNetLikeness)


def test_weights_of_something_else_are_refused(package: Path) -> None:
    save_weights(package, width=12)
    with pytest.raises(VFEError, match="recognition_arcface"):
        load_likeness()
