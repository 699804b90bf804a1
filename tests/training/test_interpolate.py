"""A model half of the way between two has the mean of their weights, and its ends are the two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.tiny_lite import tiny_lite
from training.lite.deepen import Depth, deepen
from training.lite.interpolate import main
from vfe.models.lite import LiteModel
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model


def loaded(path: Path) -> LiteModel:
    return load_lite_model(path, torch.device("cpu"), torch.float32)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    save_lite_model(before, tiny_lite(0.1), {})
    changed = tiny_lite(0.1)
    for number, parameter in enumerate(changed.parameters()):
        parameter.add_(0.25 * (number % 3))
    save_lite_model(after, changed, {"steps": 7})
    return before, after


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_weights_lie_between(pair: tuple[Path, Path], share: float) -> None:
    between = pair[0].with_name("between.safetensors")
    main([*map(str, pair), str(between), "--share", str(share)])
    states = [loaded(path).state_dict() for path in (*pair, between)]
    for name, first in states[0].items():
        wanted = first + share * (states[1][name] - first)
        torch.testing.assert_close(states[2][name], wanted, atol=2e-3, rtol=2e-3)
    assert read_lite_info(between).training == {"steps": 7, "share": share}


def test_models_of_other_sizes_are_one_line(pair: tuple[Path, Path]) -> None:
    deep, output = pair[0].with_name("deep.safetensors"), pair[0].with_name("between.safetensors")
    save_lite_model(deep, deepen(loaded(pair[0]), Depth(blocks=1)), {})
    with pytest.raises(SystemExit, match="models of one size"):
        main([str(pair[0]), str(deep), str(output)])
    with pytest.raises(SystemExit, match="needed 0 to 1"):
        main([*map(str, pair), str(output), "--share", "2"])
    assert not output.exists()
