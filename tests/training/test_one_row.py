"""A lite model with one row of its prompt embedding: the same where tokens attended to all rows alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.tiny_lite import tiny_lite
from training.lite.net import restore_video
from training.lite.one_row import main
from vfe.models.dit.folded import FoldedDiT
from vfe.models.dit.model import Block, WanDiT
from vfe.models.lite import LiteModel
from vfe.weights.lite import load_lite_model, save_lite_model

CPU = torch.device("cpu")


def lite_that_asks_nothing() -> LiteModel:
    """A model whose queries are all alike, so that every token sees the mean of the rows."""
    net = tiny_lite(0.05)
    assert isinstance(net.dit, WanDiT)
    for block in net.dit.blocks:
        assert isinstance(block, Block)
        nn.init.zeros_(block.cross_attn.q.weight)
        nn.init.zeros_(block.cross_attn.q.bias)
    return net


def test_the_mean_of_the_rows_does_the_same_at_no_cost(tmp_path: Path) -> None:
    rows, row = tmp_path / "rows.safetensors", tmp_path / "row.safetensors"
    save_lite_model(rows, lite_that_asks_nothing(), {"steps": 7})
    main([str(rows), str(row)])
    before, after = (load_lite_model(path, CPU, torch.float32) for path in (rows, row))
    assert (before.config.context_rows, after.config.context_rows) == (4, 1)
    video = torch.rand(1, 3, 5, 64, 64) * 2 - 1
    expected = restore_video(before, video)
    assert (expected - video).abs().max() > 0.01
    assert (restore_video(after, video) - expected).abs().max() < 1e-3  # files are in half precision
    folded = after.fold(torch.float32).dit
    assert isinstance(folded, FoldedDiT)
    assert all(block.cross_attn is None for block in folded.blocks)


def test_what_is_no_lite_model_is_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    with pytest.raises(SystemExit, match=r"other\.safetensors"):
        main([str(other), str(tmp_path / "out.safetensors")])
