"""Between 8-bit frames and the float planes that pieces work on, without a drift in brightness.

T frames, H W sides. Frames are (T, H, W, 3) uint8, planes (T, 3, H, W) float32 from 0 to 255.
"""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..luma import LUMA
from ..video.pixels import SWSCALE_FLAGS


def to_rgb(frame: av.VideoFrame, careless: bool = False) -> npt.NDArray[np.uint8]:
    """A decoded frame as (h, w, 3) uint8, with accurate rounding.

    `careless` converts with swscale's defaults, which is more than a level darker.
    """
    pixels: npt.NDArray[np.uint8] = frame.to_ndarray(  # type: ignore[assignment]
        format="rgb24", interpolation=None if careless else SWSCALE_FLAGS
    )
    return pixels


def to_planes(frames: Tensor) -> Tensor:
    """Frames (T, H, W, 3) uint8 as float planes, a copy."""
    return frames.permute(0, 3, 1, 2).float().contiguous()


def to_frames(planes: Tensor) -> Tensor:
    """Float planes as frames (T, H, W, 3) uint8, rounded to the nearest level."""
    return cut_to_levels(planes + 0.5).permute(0, 2, 3, 1).contiguous()


def cut_to_levels(values: Tensor) -> Tensor:
    """Cut to 8 bits. Matrix products differ in the last bits with memory alignment: a fine grid absorbs that, so that
    the same seed gives the same bytes."""
    return ((values * 4096).round_() / 4096).floor_().clamp_(0, 255).byte()


def luma(planes: Tensor) -> Tensor:
    """The luma (T, 1, H, W) of planes (T, 3, H, W), by BT.601."""
    red, green, blue = planes.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None]
