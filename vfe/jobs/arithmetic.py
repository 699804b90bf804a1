"""What the last bits of restored pixels hang on, so that segments of two machines are told from those of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import nn

from ..device import dtype_name
from ..models.dit.int8 import Int8Linear
from ..pipeline.memory_aware import MemoryAwarePipeline
from ..pipeline.one_step import OneStepPipeline
from ..pipeline.windows import WindowConfig, WindowPipeline
from ..restore.restorer import Restorer
from ..restore.work import FramePipeline

_MOST_THREADS = 4096  # more than any machine has


@dataclass(frozen=True)
class Arithmetic:
    """How a restorer computes. Equal ones give equal pixels, on machines that are alike. ValueError for no threads."""

    device: str
    """The kind of device."""
    dtype: str
    """The number formats of the weights."""
    window: WindowConfig
    """The windows in which whole frames are restored."""
    torch: str
    threads: int
    """Of PyTorch, on the CPU, on which sums are divided among them."""
    capability: str
    """Which instructions of the CPU PyTorch uses."""

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= _MOST_THREADS:
            raise ValueError(f"threads is {self.threads}, needed is a number from 1 to {_MOST_THREADS}")

    def differences(self, other: Arithmetic) -> list[str]:
        """Return what differs from another, in words."""
        return [
            f"{item.name} {_text(getattr(self, item.name))} instead of {_text(getattr(other, item.name))}"
            for item in fields(self)
            if getattr(self, item.name) != getattr(other, item.name)
        ]


def arithmetic_of(restorer: Restorer, size: tuple[int, int]) -> Arithmetic:
    """Return how a restorer computes with frames of `size` (width, height)."""
    pipelines: list[FramePipeline | WindowPipeline] = [restorer.pipeline]
    pipelines += [restorer.face_part.pipeline] if restorer.face_part else []
    pipeline = restorer.pipeline
    assert isinstance(pipeline, WindowPipeline), "jobs need a pipeline that works in windows"
    return Arithmetic(
        device=pipeline.model.device.type if isinstance(pipeline, OneStepPipeline) else "cpu",
        dtype=" and ".join(dict.fromkeys(_dtypes(pipeline) for pipeline in pipelines)),
        window=pipeline.window_for(size[1], size[0]),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        capability=torch.backends.cpu.get_cpu_capability(),
    )


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads within the block: their number decides the order of sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _text(value: object) -> str:
    if isinstance(value, WindowConfig):
        return f"{value.frames} frames with {value.overlap} shared"
    return str(value)


def _dtypes(pipeline: FramePipeline | WindowPipeline) -> str:
    """Return the number formats of a pipeline's weights."""
    if isinstance(pipeline, MemoryAwarePipeline):
        compute = pipeline.sizes.compute
        return dtype_name(compute.dtype) + (" with fp8" if compute.fp8 else "")
    model = getattr(pipeline, "model", None)
    if not isinstance(model, nn.Module):
        return "unknown"
    names = {dtype_name(tensor.dtype) for tensor in (*model.parameters(), *model.buffers())}
    if any(isinstance(module, Int8Linear) for module in model.modules()):  # whose weights are no tensors of a module
        names.add("int8")
    return ", ".join(sorted(names))
