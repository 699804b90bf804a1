"""Frames of VapourSynth in the format RGBS, floats from 0 to 1, from and to tensors.

Tensors are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import vapoursynth as vs
from torch import Tensor

Planes = npt.NDArray[np.float32]


def planes_of(frame: vs.VideoFrame) -> Planes:
    """Return a copy of the planes (3, H, W), which may have colours that no screen shows, below 0 or above 1."""
    return np.stack([np.asarray(frame[plane]) for plane in range(3)])


def tensor_of(planes: Planes) -> Tensor:
    """Return planes as the models take them, without colours that no screen shows."""
    return torch.from_numpy(planes * np.float32(2) - np.float32(1)).clamp_(-1, 1)


def whole(pixels: Tensor) -> Planes:
    """Return the planes of a tensor."""
    planes: Planes = ((pixels + 1) / 2).numpy()
    return planes


def changed(planes: Planes, pixels: Tensor) -> Planes:
    """Return planes changed by as much as `pixels` differ from theirs: where they do not, to the bit as they were."""
    difference: Planes = ((pixels - tensor_of(planes)) / 2).numpy()
    return planes + difference


def fill(frame: vs.VideoFrame, planes: Planes) -> None:
    """Write planes into a frame of our own."""
    for plane in range(3):
        np.copyto(np.asarray(frame[plane]), planes[plane])
