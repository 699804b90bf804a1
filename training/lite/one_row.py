"""A lite model with one row of the prompt embedding: `python -m training.lite.one_row old.safetensors new.safetensors`.

The rows that lite has learned are attended to alike by every token, so that cross-attention gives all of them the same,
for an eighth of the DiT's time. Attention to one row whose values are the mean of theirs gives that at no cost: `fold`
puts it into a bias. Where tokens attend differently it is another model, so what it changes has to be measured.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from vfe.models.dit.model import WanDiT
from vfe.models.lite import LiteModel

from .rewrite import rewrite


@torch.no_grad()
def one_row(net: LiteModel) -> LiteModel:
    """Return a model with a prompt embedding of one row, which the values of all blocks see as the mean of `net`'s.

    It takes over the parts of `net`, which is used up.
    """
    assert isinstance(net.dit, WanDiT)
    embed, last = net.dit.text_embedding, net.dit.text_embedding[-1]
    assert isinstance(last, nn.Linear)
    mean: torch.Tensor = embed(net.context).mean(1)  # values are linear in what the network of the text gives
    one = LiteModel(replace(net.config, context_rows=1))
    one.codec, one.dit, one.prior, one.fusion = net.codec, net.dit, net.prior, net.fusion
    one.context = nn.Parameter(net.context.mean(1, keepdim=True))
    last.bias.add_((mean - embed(one.context)[:, 0])[0])
    return one


def main(arguments: list[str] | None = None) -> None:
    rewrite(one_row, __doc__, arguments)


if __name__ == "__main__":
    main()
