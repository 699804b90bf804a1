"""A lite model with more blocks, doing the same: `python -m training.lite.deepen lite.safetensors deep.safetensors`.

The blocks are added at the end of its DiT and begin as the identity, so that training goes on from where the model is:
a teacher for distillation costs the time of getting better, and not that of getting as good. Our own choice.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from vfe.models.dit.model import Block, WanDiT, zeroed
from vfe.models.lite import LiteModel
from vfe.types import VFEError
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model


def deepen(net: LiteModel, blocks: int) -> LiteModel:
    """A model with so many blocks more, which gives what `net` gives. Raises VFEError for none, or where `net` has a
    prior, which is fused into each block."""
    if blocks < 1 or net.prior is not None:
        raise VFEError(f"blocks {blocks}, prior {net.prior is not None}: needed 1 block or more, and no prior")
    dit = replace(net.config.dit, layers=net.config.dit.layers + blocks)
    deep = LiteModel(replace(net.config, dit=dit))
    deep.load_state_dict(net.state_dict(), strict=False)
    assert isinstance(deep.dit, WanDiT)
    for block in deep.dit.blocks[-blocks:]:
        assert isinstance(block, Block)
        for last in (block.self_attn.o, block.cross_attn.o, block.ffn[2]):
            zeroed(cast(nn.Linear, last))
    return deep


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--blocks", type=int, default=4)
    args = parser.parse_args(arguments)
    try:
        net = load_lite_model(args.input, torch.device("cpu"), torch.float32)
        save_lite_model(args.output, deepen(net, args.blocks), read_lite_info(args.input).training)
    except VFEError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
