"""The camera that took the clip: the face lies turned, small and moving in its frame, and is aligned again afterwards.

So blocks, noise and pixels of the camera are not those of the aligned crop, as in real footage.

B batch, T frames, S side of aligned crops, C side of the camera's canvas; a point is xy in pixels from the middle.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CANVAS_STEP = 16


class Camera(NamedTuple):
    """Where the face lies in the camera's frames."""

    ratio: Tensor
    """(B,) pixels of the aligned crop per pixel of the camera."""
    angle: Tensor
    """(B, T) radians."""
    shift: Tensor
    """(B, T, 2) pixels of the camera."""

    def canvas(self, side: int) -> int:
        """A side that holds all of the aligned crops in all frames."""
        cos, sin = self.angle.cos().abs(), self.angle.sin().abs()
        half = side / 2 / self.ratio[:, None] * (cos + sin) + self.shift.abs().amax(-1)
        whole = int(2 * float(half.max()) + 2)
        return -(-whole // CANVAS_STEP) * CANVAS_STEP


def _grid(side: int, device: torch.device) -> Tensor:
    """The centres of pixels of a square picture, counted from its middle: (side, side, 2)."""
    at = torch.arange(side, device=device, dtype=torch.float32) + 0.5 - side / 2
    return torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1)


def _turn(points: Tensor, angle: Tensor) -> Tensor:
    """Points (h, w, 2) or (B, T, h, w, 2) turned about the middle by `angle` (B, T): (B, T, h, w, 2)."""
    x, y = points.unbind(-1)
    cos, sin = (value(angle)[..., None, None] for value in (torch.cos, torch.sin))
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def film(video: Tensor, camera: Camera, canvas: int) -> Tensor:
    """The camera's frames (B, T, 3, C, C) of aligned clips (B, T, 3, S, S), which must be blurred before, as the camera
    has fewer pixels and would alias."""
    points = _grid(canvas, video.device) - camera.shift[:, :, None, None]
    seen = _turn(points, camera.angle) * camera.ratio[:, None, None, None, None]
    return sample(video, seen, "bicubic", "reflection")


def align(frames: Tensor, camera: Camera, side: int, smooth: Tensor) -> Tensor:
    """Align the camera's frames again: (B, T, 3, C, C) -> (B, T, 3, S, S).

    Interpolation is bilinear where `smooth` (B,) is true, else bicubic.
    """
    points = _turn(_grid(side, frames.device), -camera.angle) / camera.ratio[:, None, None, None, None]
    points = points + camera.shift[:, :, None, None]
    result = sample(frames, points, "bicubic", "border")
    if bool(smooth.any()):
        result[smooth] = sample(frames[smooth], points[smooth], "bilinear", "border")
    return result


def sample(video: Tensor, points: Tensor, mode: str, padding: str) -> Tensor:
    """The values of clips (B, T, 3, H, H) at points (B, T, h, w, 2): (B, T, 3, h, w)."""
    grid = (points / (video.shape[-1] / 2)).flatten(0, 1)
    taken = F.grid_sample(video.flatten(0, 1), grid, mode=mode, padding_mode=padding, align_corners=False)
    return taken.unflatten(0, video.shape[:2])
