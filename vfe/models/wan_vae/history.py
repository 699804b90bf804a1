"""What a stream of frames remembers between two steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PAST_FRAMES = 2
"""How many frames before its own a causal convolution over three frames sees."""


class History:
    """Keeps the last two frames that each causal convolution has seen, zeros where the stream had not begun.

    A convolution of stride two needs one. The tensors are never written to, so a copy of the history, which shares
    them, stays as it was: a step that has to be repeated starts from the copy taken before it.
    """

    def __init__(self) -> None:
        self._past: dict[nn.Module, Tensor] = {}

    def past(self, conv: nn.Module, dtype: torch.dtype) -> Tensor | None:
        """Return the frames (2, C, H, W) before those of this step, or None in the first step of a stream."""
        past = self._past.get(conv)
        return None if past is None else past.to(dtype)

    def keep(self, conv: nn.Module, frames: Tensor, reach: int = PAST_FRAMES) -> None:
        """Copy the last `reach` of `frames` (T, C, H, W); a slice would keep all of a step's frames in memory."""
        past = new_frames(reach, frames.shape[1], frames)
        known = min(reach, len(frames))
        past[: reach - known] = 0
        past[reach - known :] = frames[-known:]
        self._past[conv] = past

    def extended(self, conv: nn.Module, frames: Tensor, reach: int = PAST_FRAMES) -> Tensor:
        """Return frames (T, C, H, W) with those before them, (reach + T, C, H, W), and keep their last."""
        extended = new_frames(reach + len(frames), frames.shape[1], frames)
        past = self._past.get(conv)
        extended[:reach] = 0 if past is None else past
        extended[reach:] = frames
        self.keep(conv, extended, reach)
        return extended

    def copy(self) -> History:
        """Return a history of the same past that changes independently of this one."""
        other = History()
        other._past = dict(self._past)
        return other

    def adopt(self, other: History) -> None:
        """Continue from the past of `other`."""
        self._past = other._past


def new_frames(count: int, channels: int, like: Tensor, scale: int = 1) -> Tensor:
    """Return uninitialised frames (count, channels, scale H, scale W) in dtype and device of `like`, channels last."""
    height, width = like.shape[-2:]
    shape = (count, channels, scale * height, scale * width)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
