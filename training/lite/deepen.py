"""A lite model with more blocks, doing the same: `python -m training.lite.deepen lite.safetensors deep.safetensors`.

What is added begins as the identity, so that training goes on from where the model is: a larger model costs the time of
getting better, and not that of getting as good (after Net2Net, Chen et al. 2016). Where is our own choice.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from vfe.models.dit.model import Block, WanDiT, zeroed
from vfe.models.dit.pyramid import Pyramid, Way
from vfe.models.lite import LiteModel
from vfe.models.residual import ResidualBlock
from vfe.types import VFEError
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model

SEED = 0
NUMBERED = re.compile(r"(dit\.blocks\.)(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What is added to a model."""

    blocks: int = 0
    """Of the DiT, behind the others."""
    time_every: int | None = None
    """Blocks whose attention goes along time are put between the others, so that every so many-th is one."""
    scale_blocks: int = 0
    """Residual blocks of each scale of the pyramid, on both ways."""

    def __post_init__(self) -> None:
        """Raises VFEError for what is below nothing, and for nothing at all."""
        added = (self.blocks, self.scale_blocks, self.time_every or 0)
        if min(added) < 0 or max(added) == 0 or self.time_every in (0, 1):
            raise VFEError(
                f"blocks={self.blocks}, scale_blocks={self.scale_blocks}, time_every={self.time_every}: needed 0 or "
                "more, time_every at least 2, and one of them"
            )

    def place(self, block: int) -> int:
        """The number of what was block `block`."""
        return block if self.time_every is None else block + block // (self.time_every - 1)


def deepen(net: LiteModel, depth: Depth) -> LiteModel:
    """A deeper model which gives what `net` gives. Raises VFEError where `net` has a prior, which is fused into each
    block, or blocks along time already."""
    config = net.config.dit
    if net.prior is not None or (depth.time_every is not None and config.time_every is not None):
        raise VFEError(f"prior {net.prior is not None}, time_every={config.time_every}: needed neither to add to it")
    layers = depth.place(config.layers + depth.blocks)
    pyramid = tuple(replace(scale, blocks=scale.blocks + depth.scale_blocks) for scale in config.pyramid)
    time_every = depth.time_every or config.time_every
    larger = replace(config, layers=layers, pyramid=pyramid, time_every=time_every)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        deep = LiteModel(replace(net.config, dit=larger))
    moved = {
        NUMBERED.sub(lambda found: f"{found[1]}{depth.place(int(found[2]))}.", name): value
        for name, value in net.state_dict().items()
    }
    deep.load_state_dict(moved, strict=False)
    assert isinstance(deep.dit, WanDiT)
    for number in {*range(layers)} - {depth.place(block) for block in range(config.layers)}:
        block = deep.dit.blocks[number]
        assert isinstance(block, Block)
        for last in (block.self_attn.o, block.cross_attn.o, block.ffn[2]):
            zeroed(cast(nn.Linear, last))
    if deep.dit.pyramid is not None and depth.scale_blocks:
        _silence(deep.dit.pyramid, depth.scale_blocks)
    return deep


def _silence(pyramid: Pyramid, last: int) -> None:
    """Let the last blocks of each way add nothing."""
    for way in (*pyramid.ways_in, *pyramid.ways_out):
        for block in list(cast(Way, way).blocks)[-last:]:
            convolution = cast(ResidualBlock, block).conv2
            nn.init.zeros_(convolution.weight)
            nn.init.zeros_(convolution.bias)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--blocks", type=int, default=0, help="of the DiT, behind the others")
    parser.add_argument("--time-every", type=int, help="blocks, of which one looks along time: these are added")
    parser.add_argument("--scale-blocks", type=int, default=0, help="residual blocks of each scale of a pyramid")
    args = parser.parse_args(arguments)
    try:
        depth = Depth(blocks=args.blocks, time_every=args.time_every, scale_blocks=args.scale_blocks)
        net = load_lite_model(args.input, torch.device("cpu"), torch.float32)
        save_lite_model(args.output, deepen(net, depth), read_lite_info(args.input).training)
    except VFEError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
