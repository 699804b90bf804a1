"""The pipeline that fits itself to the memory: planned for the size of the frames, stepping down when it runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor

from ..device import GIB
from ..models.prior import Prior
from ..models.wan_vae import VAEPlan
from ..types import CheckCancelled, Notify, Remedy, VFEError, never_cancelled
from .latents import WindowLatent
from .memory_plan import MemoryPlan, WanSizes, choose_plan, plan_candidates
from .one_step import OneStepModel, OneStepPipeline, WindowConfig

Result = TypeVar("Result")


class MemoryAwareModel(OneStepModel, Protocol):
    """A Wan model that can be told how much memory to use."""

    def use_plan(self, vae: VAEPlan, resident: int) -> None:
        """Run the VAE as `vae` says, and keep `resident` blocks of the DiT on the device."""


class MemoryAwarePipeline(OneStepPipeline):
    """`OneStepPipeline` whose window, VAE step, tiles and resident blocks follow from the bytes it may use.

    When memory runs out although the plan said that it would not, the next smaller plan takes over, and the window that
    it happened in is done again. `notify` gets each plan as a line.
    """

    model: MemoryAwareModel

    def __init__(
        self, model: MemoryAwareModel, sizes: WanSizes, budget: int, window: WindowConfig | None, notify: Notify
    ) -> None:
        """`budget` are the bytes of the device that may be used; `window` None leaves its length to the plan."""
        super().__init__(model, tile=None)
        self.sizes = sizes
        self.budget = budget
        self.notify = notify
        self.asked_window = window
        self._ladders: dict[tuple[int, int], _Ladder] = {}  # by height and width of frames
        self._size: tuple[int, int] | None = None

    @property
    def plan(self) -> MemoryPlan:
        """The plan in use. There is none before the first frame, whose size decides it."""
        assert self._size is not None
        return self._ladders[self._size].plan

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Put the plan for frames of this size to use, and return its windows."""
        size = height, width
        if size not in self._ladders:
            plans = plan_candidates(self.sizes, height, width, self.asked_window)
            self._ladders[size] = _Ladder(plans, choose_plan(plans, self.budget))
            self.notify(self._ladders[size].plan.describe(self.sizes))
        if size != self._size:
            self._size = size
            self._use_plan()
        return self.plan.window

    def _use_plan(self) -> None:
        self.model.use_plan(self.plan.vae, self.plan.resident)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore as `OneStepPipeline` does; a window that does not fit the memory is restored in shorter ones."""
        restore_whole = super().restore_window

        def restore() -> list[Tensor]:
            if len(frames) <= self.plan.window.frames:
                return restore_whole(frames, strength, check)
            shorter = OneStepPipeline(self.model, self.plan.window, tile=None)
            return list(shorter.stream(frames, strength=strength, on_progress=lambda _done, _total: check()))

        return self._stepping_down(frames[0].shape, restore)

    def restore_latent(
        self,
        frames: list[Tensor],
        strength: float,
        check: CheckCancelled = never_cancelled,
        *,
        prior: Prior | Literal["own"] | None = "own",
        mask: Tensor | None = None,
    ) -> WindowLatent:
        """Restore as `OneStepPipeline` does; VFEError where memory is short, as shorter windows give other latents."""
        restore_whole = super().restore_latent

        def restore() -> WindowLatent:
            self._check_whole(len(frames))
            return restore_whole(frames, strength, check, prior=prior, mask=mask)

        return self._stepping_down(frames[0].shape, restore)

    def decode_latent(self, latent: WindowLatent, check: CheckCancelled = never_cancelled) -> list[Tensor]:
        """Decode as `OneStepPipeline` does, with smaller tiles where memory is short."""
        decode = super().decode_latent
        return self._stepping_down(latent.frame_shape, lambda: decode(latent, check))

    def _check_whole(self, frames: int) -> None:
        if frames > self.plan.window.frames:
            raise VFEError(
                f"out of memory with windows of {frames} frames; take windows of {self.plan.window.frames} or fewer"
            )

    def _stepping_down(self, shape: Sequence[int], work: Callable[[], Result]) -> Result:
        """Return what `work` gives with the plan for frames of that shape, or with the first later plan that fits."""
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
        """Put the next smaller plan for frames of this size to use; VFEError where there is none."""
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
        self.notify(self.plan.describe(self.sizes))


@dataclass
class _Ladder:
    """The plans for frames of one size, and which of them is in use."""

    plans: list[MemoryPlan]
    chosen: int

    @property
    def plan(self) -> MemoryPlan:
        """The plan in use."""
        return self.plans[self.chosen]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: PyTorch has a class for that on some devices, and only words on others."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory"))


def release_memory() -> None:
    """Give the memory that PyTorch's allocators keep for later back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        torch.xpu.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
