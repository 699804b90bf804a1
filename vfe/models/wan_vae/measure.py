"""Measure once on each device which form of a convolution is the fastest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from ..ops import TORCH_OPS
from .conv import Form, Target
from .history import History
from .layers import Residual
from .passes import Passes
from .weights import ResidualWeights

WIDTH, FRAMES = 96, 4  # of the last stage of the decoder with one latent a step, where half of the work is
CPU_SIDE, DEVICE_SIDE = 32, 256  # some 15 ms of a core; enough to fill a large GPU
ROUNDS = 7
SECONDS = 0.4  # no round begins after that much


@cache
def fastest_form(device: torch.device, dtype: torch.dtype, passes: Passes, forms: tuple[Form, ...]) -> Form:
    """Return the form in which a residual block of random weights takes the least time.

    All forms in turn, several rounds, and the best time of each: what else the machine does comes and goes. On a CPU it
    is the CPU time of one thread: several wait for each other, and the longer the busier the machine is.
    """
    if len(forms) == 1:
        return forms[0]
    with _one_thread():
        return _fastest(device, dtype, passes, forms)


def _fastest(device: torch.device, dtype: torch.dtype, passes: Passes, forms: tuple[Form, ...]) -> Form:
    with torch.device("cpu"):
        weights = ResidualWeights(WIDTH, WIDTH, TORCH_OPS)
    trials = {form: _Trial(weights, Target(device, dtype, form, passes)) for form in forms}
    times: dict[Form, list[float]] = {form: [] for form in forms}
    spent = 0.0
    for _ in range(ROUNDS):
        for form, trial in trials.items():
            seconds = trial.seconds()
            times[form].append(seconds)
            spent += seconds
        if spent > SECONDS:
            break
    return min(forms, key=lambda form: min(times[form]))


class _Trial:
    """A residual block in one form, in the middle of a clip; it runs once before it is timed."""

    def __init__(self, weights: ResidualWeights, target: Target) -> None:
        self.device, self.block, self.history = target.device, Residual(weights, target), History()
        side = CPU_SIDE if self.device.type == "cpu" else DEVICE_SIDE
        self.frames = target.frames(torch.zeros(FRAMES, WIDTH, side, side))
        self.block(self.frames[:1], self.history)
        self.block(self.frames, self.history)

    def seconds(self) -> float:
        """Return the seconds of one run."""
        clock = time.thread_time if self.device.type == "cpu" else time.perf_counter
        self._finish()
        start = clock()
        self.block(self.frames, self.history)
        self._finish()
        return clock() - start

    def _finish(self) -> None:
        """Wait for what the device has been given to do."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
