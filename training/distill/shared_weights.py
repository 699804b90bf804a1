"""One copy of the frozen weights that a student with a LoRA has in common with the model that teaches it."""

from __future__ import annotations

from vfe.models.dit.model import WanDiT

from ..wan.lora import base_state


def share_frozen(own: WanDiT, other: WanDiT) -> int:
    """Let frozen weights of `other` be those of `own` where both are equal, and return how many values are shared.

    `own` is moved to where `other` is: what is moved afterwards has copies of its own again.
    """
    own.to(other.head.head.weight.device)
    mine, shared = base_state(own), 0
    for name, theirs in base_state(other).items():
        same = mine.get(name)
        if same is None or same.requires_grad or theirs.requires_grad or not same.equal(theirs):
            continue
        theirs.data = same.data
        shared += theirs.numel()
    return shared
