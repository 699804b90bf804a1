"""Timestep and prompt folded into a DiT that ComfyUI has loaded and patched, and unfolded before it does more.

ComfyUI ejects before it moves, patches or unpatches weights and injects when that is done. In between the folded
network runs; it shares no memory that folding changes, so the weights come back as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import PatcherInjection
from torch import Tensor, nn

from ...vfe.models.dit.compiled import compile_blocks
from ...vfe.models.dit.folded import BlocksInTurn, FoldedDiT, fold
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.dit.sharing import shared
from .patcher import NAME, is_whole

MEMORY_TO_FOLD = 1.5
"""The bytes that must be free to fold, over the weights' own, where the original weights have no other device."""


class Folding:
    """The folding of one DiT under a patcher, done when it is first asked for, since not every run needs the DiT.

    Each original block waits on the offload device once it is folded: memory stays that of one network.
    """

    def __init__(
        self, patcher: ModelPatcher, dit: WanDiT, timestep: float, prompt: Callable[[], Tensor], dtype: torch.dtype
    ) -> None:
        """`prompt` gives the prompt embedding (1, S, text_dim), where it is now; the folded network runs in `dtype`."""
        self.dit, self.timestep, self.prompt, self.dtype = dit, timestep, prompt, dtype
        self.load_device, self.offload_device = patcher.load_device, patcher.offload_device
        self.compiled = False
        """Whether blocks are compiled by torch.compile once they are folded; a DiT that runs in parts never is."""
        self._allowed = False
        self._folded: FoldedDiT | None = None
        patcher.set_injections(NAME, [PatcherInjection(self._inject, self._eject)])

    def folded(self) -> FoldedDiT | None:
        """Return the folded network; None where the DiT has to run as it is, in parts or for want of memory."""
        if self._folded is None and self._allowed:
            with ExitStack() as interrupted:  # or out of memory
                interrupted.callback(self._undo)
                self._folded = fold(self._in_turn(), self.timestep, self.prompt(), self.dtype)
                self._move(self.dit, self.offload_device)
                if self.compiled:
                    compile_blocks(self._folded)
                interrupted.pop_all()
        if self._folded is not None:
            self._folded.roll = self.dit.roll
        return self._folded

    @property
    def is_folded(self) -> bool:
        """Whether the folded network is there now."""
        return self._folded is not None

    def _inject(self, patcher: ModelPatcher) -> None:
        self._allowed = is_whole(patcher) and self._has_room()

    def _eject(self, patcher: ModelPatcher) -> None:  # noqa: ARG002 - ComfyUI's signature
        self._allowed = False
        if self._folded is not None:
            self._undo()

    def _undo(self) -> None:
        self._folded = None
        self._move(self.dit, self.load_device)

    def _has_room(self) -> bool:
        if self.load_device != self.offload_device:
            return True
        needed = sum(
            parameter.numel() * (self.dtype if parameter.is_floating_point() else parameter.dtype).itemsize
            for parameter in self.dit.parameters()
        )
        return bool(comfy.model_management.get_free_memory(self.load_device) > MEMORY_TO_FOLD * needed)

    def _in_turn(self) -> WanDiT:
        """Return a network of the same memory for `fold` to use up, its blocks made one at a time."""
        blocks = self.dit.blocks

        def ready(index: int, block: nn.Module) -> nn.Module:
            comfy.model_management.throw_exception_if_processing_interrupted()
            if index:
                self._move(blocks[index - 1], self.offload_device)
            return shared(block)

        twin = shared(self.dit, without=blocks)
        twin.blocks = BlocksInTurn(blocks, ready)
        return twin

    def _move(self, part: nn.Module, device: torch.device) -> None:
        if self.load_device != self.offload_device:
            part.to(device)
