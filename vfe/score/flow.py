"""Optical flow by OpenCV's DIS (Kroeger et al. 2016, preset MEDIUM), and pictures taken along it.

A flow (H, W, 2) lies on one frame and points, in pixels xy, to where its pixels are in another. OpenCV is optional:
another flow would give other figures under the same name, so that without it there are none.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Flow = npt.NDArray[np.float32]
LEAST_SIDE = 32
"""Pixels: OpenCV refuses frames of up to 11, and in slightly larger ones there is hardly a motion to see."""
TOO_SMALL = f"a side of the frame is under {LEAST_SIDE} pixels, too small for optical flow"
NO_FLOW = "it needs optical flow, and OpenCV is not installed: pip install opencv-python-headless"


def has_flow() -> bool:
    """Return whether OpenCV is installed."""
    return find_spec("cv2") is not None


def flow_between(on: npt.NDArray[np.uint8], into: npt.NDArray[np.uint8]) -> Flow:
    """Return the flow (H, W, 2) that lies on the grey frame `on` and points into the grey frame `into`."""
    flow: Flow = _dis().calc(on, into, None)
    return flow


def taken_along(picture: npt.NDArray[np.float32] | Tensor, flow: Flow, *, extended: bool = False) -> Flow:
    """Return a picture (H, W) or (H, W, C) taken from where a flow points to, bilinear.

    Outside of the picture it is 0, or where `extended` what its border is.
    """
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    cv2 = _cv2()
    border = cv2.BORDER_REPLICATE if extended else cv2.BORDER_CONSTANT
    taken: Flow = cv2.remap(
        np.asarray(picture), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=border
    )
    return taken


@lru_cache(maxsize=1)
def _dis() -> Any:  # noqa: ANN401 - OpenCV's stubs leave it out
    cv2 = _cv2()
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def _cv2() -> Any:  # noqa: ANN401
    return import_module("cv2")
