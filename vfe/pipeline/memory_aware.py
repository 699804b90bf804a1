"""The pipeline that fits itself to the memory: planned for the frames' size, stepping down when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from ..models.prior import Prior
from ..models.wan import WanRestorer
from ..types import Check, Remedy, Tell, VFEError, no_check
from .latents import WindowLatent
from .memory_plan import GIB, MemoryPlan, WanSizes, choose_plan, plan_candidates
from .one_step import OneStepPipeline, WindowConfig

Result = TypeVar("Result")


class PlannedPipeline(OneStepPipeline):
    """`OneStepPipeline` whose window, VAE step, tiles and resident blocks follow from the bytes it may use.

    When memory runs out although the plan said that it would not, the next smaller plan takes over, and the window that
    it happened in is done again. `tell` gets each plan.
    """

    model: WanRestorer

    def __init__(
        self, model: WanRestorer, sizes: WanSizes, budget: int, window: WindowConfig | None, tell: Tell
    ) -> None:
        """`window` None leaves its length to the plan."""
        super().__init__(model, tile=None)
        self.sizes = sizes
        self.budget = budget
        self.tell = tell
        self.asked_window = window
        self._ladders: dict[tuple[int, int], _Ladder] = {}  # by height and width of frames
        self._size: tuple[int, int] | None = None

    @property
    def plan(self) -> MemoryPlan:
        """The plan in use; there is one once a frame was seen."""
        assert self._size is not None
        return self._ladders[self._size].plan

    def window_for(self, height: int, width: int) -> WindowConfig:
        """The windows of the plan for frames of this size, which is put to use."""
        size = height, width
        if size not in self._ladders:
            plans = plan_candidates(self.sizes, height, width, self.asked_window)
            self._ladders[size] = _Ladder(plans, choose_plan(plans, self.budget))
            self.tell(self._ladders[size].plan.describe(self.sizes))
        if size != self._size:
            self._size = size
            self._use_plan()
        return self.plan.window

    def _use_plan(self) -> None:
        self.model.codec.plan = self.plan.vae
        self.model.keep_resident(self.plan.resident)

    def restore_window(self, frames: list[Tensor], strength: float, check: Check) -> list[Tensor]:
        def restore() -> list[Tensor]:
            if len(frames) <= self.plan.window.frames:
                return OneStepPipeline.restore_window(self, frames, strength, check)
            shorter = OneStepPipeline(self.model, self.plan.window, tile=None)
            return list(shorter._stream(frames, strength, lambda _done, _total: check(), len(frames)))

        return self._stepping_down(frames[0].shape, restore)

    def restore_latent(
        self,
        frames: list[Tensor],
        strength: float,
        check: Check = no_check,
        *,
        prior: Prior | Literal["own"] | None = "own",
        mask: Tensor | None = None,
    ) -> WindowLatent:
        """VFEError where memory is short for all of the window: there is no latent of shorter ones."""

        def restore() -> WindowLatent:
            self._check_whole(len(frames))
            return OneStepPipeline.restore_latent(self, frames, strength, check, prior=prior, mask=mask)

        return self._stepping_down(frames[0].shape, restore)

    def decode_latent(self, latent: WindowLatent, check: Check = no_check) -> list[Tensor]:
        return self._stepping_down(latent.frame_shape, lambda: OneStepPipeline.decode_latent(self, latent, check))

    def _check_whole(self, frames: int) -> None:
        if frames > self.plan.window.frames:
            raise VFEError(
                f"out of memory with windows of {frames} frames; take windows of {self.plan.window.frames} or fewer"
            )

    def _stepping_down(self, shape: Sequence[int], work: Callable[[], Result]) -> Result:
        """What `work` gives with the plan for frames of that shape, or with the first of the next in which it fits."""
        while True:
            self.window_for(shape[-2], shape[-1])  # clips of different sizes may take turns
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the handler, whose traceback would keep the tensors of the failed step.
            release_memory()
            self._step_down()

    def _step_down(self) -> None:
        """The next smaller plan for frames of this size; VFEError where there is none."""
        assert self._size is not None
        ladder = self._ladders[self._size]
        if ladder.chosen + 1 == len(ladder.plans):
            raise VFEError(
                f"out of memory with the smallest plan, {ladder.plan.bytes / GIB:.1f} GiB",
                Remedy.SHRINK_FRAMES,
                "close other programs or restore smaller frames (--size)",
            )
        ladder.chosen += 1
        self._use_plan()
        self.tell(self.plan.describe(self.sizes))


@dataclass
class _Ladder:
    """Plans for frames of one size, and the one in use."""

    plans: list[MemoryPlan]
    chosen: int

    @property
    def plan(self) -> MemoryPlan:
        return self.plans[self.chosen]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; PyTorch has a class for it on some devices and only words on others."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory"))


def release_memory() -> None:
    """Give what the allocators keep for later back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        torch.xpu.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
