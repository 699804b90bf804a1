"""Named sets of low-rank changes (LoRA, Hu et al. 2021) on one frozen DiT, each with a scale that can be switched.

One backbone so plays several roles: W + a_1 B_1 A_1 + a_2 B_2 A_2 with the scales a of the role, all 0 for the backbone
itself, to the last bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import nn

from vfe.models.dit.model import WanDiT

from ..run.recompute import checkpoint_blocks
from ..wan.lora import LoraConfig


def _inject(dit: WanDiT, name: str, config: LoraConfig) -> None:
    import peft

    adapter = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.targets))  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # of a second set, which is meant
        peft.inject_adapter_in_model(adapter, dit, name)


class LoraSets:
    """Sets by name on the layers of a DiT, which is frozen; a set of scale 0 costs nothing.

    It is no module: who trains a set has its `factors` as a submodule, and the backbone as none.
    """

    def __init__(self, dit: WanDiT, sets: Mapping[str, LoraConfig], checkpointing: bool = False) -> None:
        """Put the layers around those of `dit`, in place; A starts random and B at zero.

        `checkpointing` recomputes the DiT's blocks in the backward pass, with the scales of the forward pass.
        """
        from peft.tuners.lora import LoraLayer

        dit.requires_grad_(False)
        for name, config in sets.items():
            _inject(dit, name, config)
        self._layers = [layer for layer in dit.modules() if isinstance(layer, LoraLayer)]
        self._scales: dict[str, float] = {}
        self._names = tuple(sets)
        self._set({})
        if checkpointing:
            checkpoint_blocks(dit.blocks, self._now_and_again)

    def factors(self, name: str) -> nn.ModuleList:
        """A and B of all layers of a set: what an optimizer moves."""
        kinds = [kind for layer in self._layers for kind in (layer.lora_A, layer.lora_B)]
        return nn.ModuleList(kind[name] for kind in kinds if name in kind)

    @contextmanager
    def scaled(self, **scales: float) -> Iterator[None]:
        """Context in which the named sets have these scales, and all others 0; afterwards all have what they had.

        Raises ValueError for a name that is none of the sets.
        """
        unknown = sorted(scales.keys() - set(self._names))
        if unknown:
            raise ValueError(f"no LoRA set is named {', '.join(unknown)}, needed some of {', '.join(self._names)}")
        before = self._scales
        self._set(scales)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, scales: Mapping[str, float]) -> None:
        self._scales = {name: scale for name, scale in scales.items() if scale}
        for layer in self._layers:
            layer.set_adapter(list(self._scales))
            for name, scale in self._scales.items():
                layer.set_scale(name, scale)
            for kind in (layer.lora_A, layer.lora_B):
                kind.requires_grad_(True)  # `set_adapter` freezes the sets that are left out

    def _now_and_again(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """The contexts of a block's forward pass and of its recomputation, by when the scales may be others."""
        return nullcontext(), self.scaled(**self._scales)
