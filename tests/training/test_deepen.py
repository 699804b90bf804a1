"""A larger teacher begins as what it grew from, and all that was added learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.tiny_lite import tiny_lite, tiny_lite_with_prior
from training.lite.deepen import deepen, main
from vfe.weights.lite import load_lite_model, save_lite_model


def test_a_deeper_model_gives_the_same_velocity(tmp_path: Path) -> None:
    small, deep = tmp_path / "small.safetensors", tmp_path / "deep.safetensors"
    save_lite_model(small, tiny_lite(0.1), {"steps": 7})
    main([str(small), str(deep), "--blocks", "3"])
    before, after = (load_lite_model(path, torch.device("cpu"), torch.float32) for path in (small, deep))
    assert after.config.dit.layers == before.config.dit.layers + 3
    z = torch.randn(2, before.config.codec.channels, 2, 8, 8)
    assert torch.equal(after(z), before(z))


def test_the_added_blocks_are_trained() -> None:
    net = deepen(tiny_lite(0.1), 1).requires_grad_(True)
    net(torch.randn(1, net.config.codec.channels, 1, 8, 8)).square().sum().backward()
    parameters = dict(net.named_parameters())
    for last in ("self_attn.o", "cross_attn.o", "ffn.2"):
        gradient = parameters[f"dit.blocks.{net.config.dit.layers - 1}.{last}.weight"].grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_what_cannot_be_deepened_is_one_line(tmp_path: Path) -> None:
    primed = tmp_path / "primed.safetensors"
    save_lite_model(primed, tiny_lite_with_prior(), {})
    with pytest.raises(SystemExit, match="no prior"):
        main([str(primed), str(tmp_path / "deep.safetensors")])
    assert not (tmp_path / "deep.safetensors").exists()
