"""A DiT with fewer blocks, and narrower feed-forwards, made of another: an ordinary DiT, whose file is like any other.

A feed-forward of one linear layer, as PPCL has it, is none of an ordinary file: all blocks of one have feed-forwards
of one width, and W x = gelu(W x) - gelu(-W x) takes 2 D of it. A narrower feed-forward does more in that width, and is
what we have instead, in all blocks alike: those of its neurons stay that have the largest weights.

D width, F feed-forward width.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vfe.models.dit.model import DiTConfig, WanDiT

from .intervals import Interval, check_intervals

IN_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
NARROWED = ("ffn.0.weight", "ffn.0.bias", "ffn.local.space.", "ffn.local.time.")
"""The parameters of a block whose first axis is F; that of ffn.2 is its second."""


def kept_blocks(config: DiTConfig, intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """What each block of the shorter DiT stands for, in order: an interval, or a block that stays.

    Raises ValueError for intervals that the DiT has not.
    """
    check_intervals(intervals)
    if intervals and intervals[-1].last >= config.layers:
        raise ValueError(
            f"an interval ends at block {intervals[-1].last}, needed below {config.layers}, the number of blocks"
        )
    gone = {index for first, last in intervals for index in range(first + 1, last + 1)}
    ends = dict(intervals)
    return tuple(Interval(index, ends.get(index, index)) for index in range(config.layers) if index not in gone)


@torch.no_grad()
def shorter_dit(dit: WanDiT, intervals: Sequence[Interval], ffn_dim: int | None = None) -> WanDiT:
    """A DiT in which a copy of an interval's first block stands for all of the interval.

    `ffn_dim` is the width of its feed-forwards; None leaves them as they are. Raises ValueError for intervals or a
    width that the DiT has not.
    """
    kept = kept_blocks(dit.config, intervals)
    if ffn_dim is not None and not 1 <= ffn_dim <= dit.config.ffn_dim:
        raise ValueError(f"ffn_dim={ffn_dim}, needed from 1 to {dit.config.ffn_dim}, that of the DiT")
    short = WanDiT(replace(dit.config, layers=len(kept), ffn_dim=ffn_dim or dit.config.ffn_dim))
    state = dit.state_dict()
    whole = {name: value for name, value in state.items() if not IN_BLOCK.match(name)}
    for number, interval in enumerate(kept):
        block = _block_state(state, interval.first)
        block = block if ffn_dim in (None, dit.config.ffn_dim) else _narrowed(block, ffn_dim)
        whole |= {f"blocks.{number}.{name}": value for name, value in block.items()}
    short.load_state_dict(whole)
    return short.train(dit.training)


def _block_state(state: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    matches = ((IN_BLOCK.match(name), value) for name, value in state.items())
    return {match[2]: value for match, value in matches if match and int(match[1]) == index}


def _narrowed(block: Mapping[str, Tensor], ffn_dim: int | None) -> dict[str, Tensor]:
    """The parameters of a block with the `ffn_dim` neurons of the largest |row of ffn.0| |column of ffn.2|."""
    strength = block["ffn.0.weight"].norm(dim=1) * block["ffn.2.weight"].norm(dim=0)
    chosen = strength.topk(ffn_dim or len(strength)).indices.sort().values
    narrow = {name: value[chosen] if name.startswith(NARROWED) else value for name, value in block.items()}
    narrow["ffn.2.weight"] = block["ffn.2.weight"][:, chosen]
    return narrow
