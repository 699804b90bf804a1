"""The planes of a frame as arrays. Imports no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

MAX_SIDE = 16384  # pixels: what H.264 and H.265 encoders take


def plane_view(frame: VideoFrame, index: int) -> npt.NDArray[Any]:
    """Return a plane of a frame of at most 16 bits as an array (H, W) of code values that shares its memory."""
    plane = frame.planes[index]
    dtype = np.dtype("u1" if frame.format.components[0].bits <= 8 else "<u2")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return rows[: plane.height, : plane.width]
