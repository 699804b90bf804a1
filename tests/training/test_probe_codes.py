"""The linear probe of codes: what is there it finds, what is not it does not, and the command runs on a pool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.packed_faces import SIDE
from training.burst import probe_codes
from training.burst.model import prior_config, restorer_config
from training.burst.pool import HELD_OUT_SHARD, shard_name, write_shard
from training.burst.probe_codes import Directions, LinearProbe
from vfe.models.lite import LiteModel
from vfe.models.prior import DualCodebookPrior
from vfe.weights.adapter import write_adapter
from vfe.weights.lite import save_lite_model


def share_left(codes: torch.Tensor, errors: torch.Tensor) -> float:
    """Of the error of tokens that are noise, fitted to the first half and judged on the other."""
    tokens = torch.randn(len(codes), 12, generator=torch.Generator().manual_seed(1))
    half = len(codes) // 2
    directions, probe = Directions(tokens[:half]), LinearProbe()
    probe.add(directions(tokens[:half], codes[:half]), errors[:half])
    features = directions(tokens[half:], codes[half:])
    left = errors[half:] - features @ probe.weights()
    return float(left.square().sum() / errors[half:].square().sum())


def test_the_probe_finds_what_codes_say_and_nothing_else() -> None:
    draw = torch.Generator().manual_seed(0)
    codes = torch.randn(4000, 5, generator=draw)
    said = codes @ torch.randn(5, 12, generator=draw)
    assert share_left(codes, said) < 1e-3
    assert share_left(codes, torch.randn(4000, 12, generator=draw)) > 0.97


def test_a_probe_that_saw_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="has seen no tokens"):
        LinearProbe().weights()


def test_the_command_probes_a_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    for name in (shard_name(0), HELD_OUT_SHARD):
        write_shard(tmp_path / name, draw.integers(0, 256, (9, 3, 5, 3, SIDE, SIDE), np.uint8))
    save_lite_model(tmp_path / "faces.safetensors", LiteModel(restorer_config(SIDE, tiny=True)), {})
    for file in ("codebook/last.safetensors", "predict/best.safetensors"):  # what predictors learn from, and they
        (tmp_path / file).parent.mkdir()
        prior = DualCodebookPrior(prior_config(SIDE, tiny=True))
        write_adapter(tmp_path / file, prior, {}, torch.float32)
    command = ["--pool", str(tmp_path), "--prior", str(tmp_path), "--restorer", str(tmp_path / "faces.safetensors")]
    probe_codes.main(command)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["none", "true", "predicted"]
    with pytest.raises(SystemExit, match="holds no pairs"):
        probe_codes.main(["--pool", str(tmp_path / "codebook"), *command[2:]])
