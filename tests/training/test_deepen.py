"""A larger model begins as what it grew from, and all that was added learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.tiny_lite import tiny_lite, tiny_lite_with_prior
from training.burst.model import restorer_config
from training.lite.deepen import Depth, deepen, main
from vfe.models.dit.model import Block, WanDiT
from vfe.models.dit.positions import token_positions
from vfe.models.dit.pyramid import Unfold
from vfe.models.lite import LiteModel
from vfe.types import VideoShape
from vfe.weights.lite import load_lite_model, save_lite_model


def test_a_deeper_model_gives_the_same_velocity(tmp_path: Path) -> None:
    small, deep = tmp_path / "small.safetensors", tmp_path / "deep.safetensors"
    save_lite_model(small, tiny_lite(0.1), {"steps": 7})
    main([str(small), str(deep), "--blocks", "3"])
    before, after = (load_lite_model(path, torch.device("cpu"), torch.float32) for path in (small, deep))
    assert after.config.dit.layers == before.config.dit.layers + 3
    z = torch.randn(2, before.config.codec.channels, 2, 8, 8)
    assert torch.equal(after(z), before(z))


def moved_face_part() -> LiteModel:
    """A tiny part for faces with a velocity."""
    torch.manual_seed(0)
    net = LiteModel(restorer_config(64, tiny=True)).requires_grad_(False)
    assert isinstance(net.dit, WanDiT)
    assert net.dit.pyramid is not None
    for unfold in net.dit.pyramid.unfolds:
        assert isinstance(unfold, Unfold)
        unfold.conv.weight.normal_(0, 0.05)
    net.dit.head.head.weight.normal_(0, 0.1)
    return net


def test_blocks_along_time_change_nothing_at_first() -> None:
    net = moved_face_part()
    deep = deepen(net, Depth(blocks=1, time_every=2, scale_blocks=2))
    assert deep.config.dit.layers == 6
    assert [scale.blocks for scale in deep.config.dit.pyramid] == [3, 3]
    z = torch.randn(2, 2 * net.config.codec.channels, 3, 16, 16)
    assert torch.equal(deep(z), net(z))
    assert net(z).abs().max() > 0


def test_blocks_along_time_see_each_place_in_all_frames_alone() -> None:
    """What one token becomes in them depends on its own place in other frames, and on no other place."""
    net = deepen(moved_face_part(), Depth(time_every=2)).requires_grad_(True)
    assert isinstance(net.dit, WanDiT)
    frames, side = 3, 4
    positions = token_positions(net.config.dit, VideoShape(frames, side, side), torch.zeros(1))
    x = torch.randn(1, frames * side * side, net.config.dit.dim, requires_grad=True)
    block = net.dit.blocks[1]
    assert isinstance(block, Block)
    block.self_attn.o.weight.data.normal_()
    block.self_attn(x, positions[1])[0, 5].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(1).view(frames, side * side) > 0
    assert seen[:, 5].all()
    assert int(seen.sum()) == frames


def test_the_added_blocks_are_trained() -> None:
    net = deepen(tiny_lite(0.1), Depth(blocks=1)).requires_grad_(True)
    net(torch.randn(1, net.config.codec.channels, 1, 8, 8)).square().sum().backward()
    parameters = dict(net.named_parameters())
    for last in ("self_attn.o", "cross_attn.o", "ffn.2"):
        gradient = parameters[f"dit.blocks.{net.config.dit.layers - 1}.{last}.weight"].grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_what_cannot_be_deepened_is_one_line(tmp_path: Path) -> None:
    primed = tmp_path / "primed.safetensors"
    save_lite_model(primed, tiny_lite_with_prior(), {})
    with pytest.raises(SystemExit, match="prior True"):
        main([str(primed), str(tmp_path / "deep.safetensors"), "--blocks", "2"])
    with pytest.raises(SystemExit, match="one of them"):
        main([str(primed), str(tmp_path / "deep.safetensors")])
    assert not (tmp_path / "deep.safetensors").exists()
