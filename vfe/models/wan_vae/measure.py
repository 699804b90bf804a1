"""Which form of a convolution is the fastest on a device: asked of the device, once."""

from __future__ import annotations

import time
from functools import cache

import torch

from ..ops import TORCH_OPS
from .conv import Form, Target
from .history import History
from .layers import Residual
from .passes import Passes
from .weights import ResidualWeights

WIDTH, FRAMES = 96, 4  # of the last stage of the decoder with one latent a step, where half of the work is
CPU_SIDE, DEVICE_SIDE = 32, 256  # some 0.1 s on a core; enough to fill a large GPU
REPEATS = 3


@cache
def fastest_form(device: torch.device, dtype: torch.dtype, passes: Passes, forms: tuple[Form, ...]) -> Form:
    """The form in which a residual block of random weights takes the least time: the best of a few runs each."""
    if len(forms) == 1:
        return forms[0]
    with torch.device("cpu"):
        weights = ResidualWeights(WIDTH, WIDTH, TORCH_OPS)
    side = CPU_SIDE if device.type == "cpu" else DEVICE_SIDE
    target = Target(device, dtype, Form.FRAMES, passes)
    frames = target.frames(torch.zeros(FRAMES, WIDTH, side, side))
    blocks = {form: Residual(weights, Target(device, dtype, form, passes)) for form in forms}
    return min(forms, key=lambda form: _seconds(blocks[form], frames))


def _seconds(block: Residual, frames: torch.Tensor) -> float:
    history = History()
    block(frames[:1], history)
    block(frames, history)
    times = []
    for _ in range(REPEATS):
        _finish(frames.device)
        start = time.perf_counter()
        block(frames, history)
        _finish(frames.device)
        times.append(time.perf_counter() - start)
    return min(times)


def _finish(device: torch.device) -> None:
    """Wait for what the device has been given to do."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
