"""DVFace's temporal loss (eq. 15): restored frames against their neighbours, warped by the clean video's optical flow.

The flow is OpenCV's DIS (Kroeger et al. 2016) of grey uint8 frames on the CPU: bit-equal from run to run and for any
number of threads, and a function of the clean clip alone, so that the caller may keep it.

B batch, T H W frames, N images. A flow holds (x, y) in pixels: it lies on the frame that is to be made, and points to
where in the other frame a pixel is taken from.
"""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from vfe.types import VFEError

MAX_CYCLE_ERROR = 1.0  # pixels: what comes back further away was hidden in the other frame


class Flows(NamedTuple):
    """Flow between neighbours, (B, 2, T - 1, H, W) each: of frames i and i + 1 (i from 0) entry i."""

    backward: Tensor  # lies on frame i + 1, points into frame i
    forward: Tensor  # lies on frame i, points into frame i + 1

    def to(self, device: torch.device) -> Flows:
        return Flows(self.backward.to(device), self.forward.to(device))


def estimate_flows(clean: Tensor) -> Flows:
    """Flows of clean clips, uint8 (B, T, H, W, 3) on the CPU -> float32 on the CPU.

    Raises ValueError for another number format or layout, VFEError where OpenCV is not installed.
    """
    if clean.dtype != torch.uint8 or clean.ndim != 5 or clean.shape[-1] != 3:
        raise ValueError(f"clean clips are {clean.dtype} {tuple(clean.shape)}, needed uint8 (B, T, H, W, 3)")
    try:
        cv2 = import_module("cv2")  # by name: its type stubs leave DIS out
    except ImportError as error:
        raise VFEError(
            "the temporal loss needs OpenCV, which is not installed: pip install opencv-python-headless, "
            "or set its weight to 0"
        ) from error
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    _, frames, height, width, _ = clean.shape
    backward, forward = (np.empty((len(clean), frames - 1, height, width, 2), np.float32) for _ in range(2))
    for index, clip in enumerate(clean.numpy()):
        grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in clip]
        for i, (now, after) in enumerate(pairwise(grey)):
            backward[index, i] = dis.calc(after, now, None)
            forward[index, i] = dis.calc(now, after, None)
    return Flows(*(rearrange(torch.from_numpy(flow), "b t h w c -> b c t h w") for flow in (backward, forward)))


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """images (N, C, H, W) taken at p + flow(p), bilinear, from the border where that lies outside: float32.

    By gathering the four neighbours: whole pixels are moved exactly, and (unlike grid_sample's) the gradient is
    deterministic on a GPU under torch.use_deterministic_algorithms.
    """
    height, width = images.shape[-2:]
    x = (torch.arange(width, device=flow.device) + flow[:, 0].float()).clamp(0, width - 1)
    y = (torch.arange(height, device=flow.device)[:, None] + flow[:, 1].float()).clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    flat, total = images.float().flatten(2), images.new_zeros(images.shape, dtype=torch.float32)
    for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            position = row.clamp(max=height - 1).long() * width + column.clamp(max=width - 1).long()
            index = position.flatten(1)[:, None].expand(-1, images.shape[1], -1)
            total = total + flat.gather(2, index).view_as(images) * (weight_x * weight_y)[:, None]
    return total


def visible(there: Tensor, back: Tensor) -> Tensor:
    """Mask (N, 1, H, W) of the pixels that the other frame shows too.

    These are the pixels that the flow `there` (N, 2, H, W) takes inside of the other frame, and that `back`, the flow
    that lies on the other frame, takes from there to within `MAX_CYCLE_ERROR` of where they came from.
    """
    there, back = there.float(), back.float()
    height, width = there.shape[-2:]
    x = torch.arange(width, device=there.device) + there[:, 0]
    y = torch.arange(height, device=there.device)[:, None] + there[:, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    cycle = there + warp(back, there)
    return (inside & (cycle.square().sum(1) < MAX_CYCLE_ERROR**2))[:, None]


def warp_loss(prediction: Tensor, flows: Flows, masked: bool = False) -> Tensor:
    """Eq. 15: each frame but the first and the last, warped by the clean clip's flow to the grid of the next and of the
    previous frame, in L1 to that frame.

    The two L1 norms are means over pixels and colours, and so is the sum over frames, where the paper writes sums: the
    same loss for clips of every size. With `masked`, pixels that the neighbour does not show (`visible`) are left out
    of the means. prediction is (B, 3, T, H, W); raises ValueError for fewer than 3 frames or flows of another size.
    """
    clips, _, frames, height, width = prediction.shape
    needed = (clips, 2, frames - 1, height, width)
    if frames < 3 or flows.backward.shape != needed or flows.forward.shape != needed:
        raise ValueError(
            f"clip of {frames} frames with flows {tuple(flows.backward.shape)} and {tuple(flows.forward.shape)}, "
            f"needed 3 frames and more with flows {needed}"
        )
    middle, after, before = prediction[:, :, 1:-1], prediction[:, :, 2:], prediction[:, :, :-2]
    from_after = _mismatch(middle, after, flows.backward[:, :, 1:], flows.forward[:, :, 1:] if masked else None)
    from_before = _mismatch(middle, before, flows.forward[:, :, :-1], flows.backward[:, :, :-1] if masked else None)
    return from_after + from_before


def _mismatch(frames: Tensor, neighbours: Tensor, there: Tensor, back: Tensor | None) -> Tensor:
    """Mean over clips of the mean |Warp(frames, there) - neighbours|; with `back`, over the visible pixels alone."""
    flow = _images(there)
    error = (warp(_images(frames), flow) - _images(neighbours).float()).abs()
    error = rearrange(error, "(b t) c h w -> b c t h w", b=len(frames))
    if back is None:
        return error.mean()
    mask = rearrange(visible(flow, _images(back)), "(b t) c h w -> b c t h w", b=len(frames)).float()
    area = mask.flatten(1).sum(1) * error.shape[1]
    return ((error * mask).flatten(1).sum(1) / area.clamp(min=1)).mean()


def _images(video: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B T, C, H, W)."""
    return rearrange(video, "b c t h w -> (b t) c h w")
