"""Parameters that drift over a clip (the random walk of RealBasicVSR), and noise that is correlated in time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .ranges import Range

Series = npt.NDArray[np.float32]


def random_walk(start: float, step: float, span: Range, frames: int, rng: np.random.Generator) -> Series:
    """Values (T,) that begin at `start` and go up to `step` from one frame to the next, within `span`. Step 0 gives a
    constant."""
    values = np.empty(frames, np.float32)
    value = start
    for index, change in enumerate(rng.uniform(-step, step, frames)):
        values[index] = value
        value = min(max(value + change, span[0]), span[1])
    return values


def correlated_noise(memory: float, shape: tuple[int, ...], rng: np.random.Generator) -> Series:
    """Normal noise (T, ...) of unit variance whose neighbouring frames have the correlation `memory`."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for index in range(1, shape[0]):
        noise[index] = memory * noise[index - 1] + np.sqrt(1 - memory * memory) * noise[index]
    return noise
