"""The pipeline that fits itself to the memory: planned for the frames' size, stepping down when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from itertools import chain

import torch
from torch import Tensor

from .memory import GIB, MemoryPlan, WanSizes, choose_plan, plan_candidates
from .models.wan import WanRestorer
from .pipeline import OneStepPipeline, WindowConfig
from .types import Check, Progress, Tell, VFEError


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
        self._plans: list[MemoryPlan] = []
        self._chosen = 0
        self._planned_for: tuple[int, int] | None = None

    @property
    def plan(self) -> MemoryPlan:
        """The plan in use; there is one once a frame was seen."""
        return self._plans[self._chosen]

    def _stream(
        self, frames: Iterable[Tensor], strength: float, on_progress: Progress | None, total: int | None
    ) -> Iterator[Tensor]:
        frames = iter(frames)
        first = next(frames, None)
        if first is None:
            return
        self._plan_for(first.shape[-2], first.shape[-1])
        yield from super()._stream(chain([first], frames), strength, on_progress, total)

    def _plan_for(self, height: int, width: int) -> None:
        if self._planned_for != (height, width):
            self._plans = plan_candidates(self.sizes, height, width, self.asked_window)
            self._use(choose_plan(self._plans, self.budget))
            self._planned_for = height, width
        self.window = self.plan.window

    def _use(self, index: int) -> None:
        self._chosen = index
        self.model.codec.plan = self.plan.vae
        self.model.keep_resident(self.plan.resident)
        self.tell(self.plan.describe(self.sizes))

    def _window(self, frames: list[Tensor], strength: float, check: Check) -> list[Tensor]:
        while True:
            try:
                if len(frames) <= self.plan.window.frames:
                    return super()._window(frames, strength, check)
                shorter = OneStepPipeline(self.model, self.plan.window, tile=None)
                return list(shorter._stream(frames, strength, lambda _done, _total: check(), len(frames)))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._chosen + 1 == len(self._plans):
                    raise VFEError(
                        f"out of memory with the smallest plan, {self.plan.bytes / GIB:.1f} GiB; "
                        "close other programs or restore smaller frames (--size)"
                    ) from None
            # Outside of the handler, whose traceback would keep the tensors of the failed step.
            release_memory()
            self._use(self._chosen + 1)


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
