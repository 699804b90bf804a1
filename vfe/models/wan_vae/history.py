"""What a stream of frames remembers between two steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PAST_FRAMES = 2  # frames before its own that a causal convolution over three frames sees


class History:
    """The last frames that each causal convolution has seen: two of them, zeros where the stream had not begun.

    A convolution of stride two needs one. The tensors are never written to, so a copy of the history, which shares
    them, stays as it was: a step that has to be repeated starts from the copy taken before it.
    """

    def __init__(self) -> None:
        self._past: dict[nn.Module, Tensor] = {}

    def past(self, conv: nn.Module, dtype: torch.dtype) -> Tensor | None:
        """The frames (2, C, H, W) before those of this step; None in the first step of a stream."""
        past = self._past.get(conv)
        return None if past is None else past.to(dtype)

    def keep(self, conv: nn.Module, frames: Tensor, reach: int = PAST_FRAMES) -> None:
        """Remember the last of `frames` (T, C, H, W), by copy: a slice would keep all of a step's frames in memory."""
        past = new_frames(reach, frames.shape[1], frames)
        known = min(reach, len(frames))
        past[: reach - known] = 0
        past[reach - known :] = frames[-known:]
        self._past[conv] = past

    def window(self, conv: nn.Module, frames: Tensor, reach: int = PAST_FRAMES) -> Tensor:
        """The frames (T, C, H, W) after those before them: (reach + T, C, H, W); their last are kept."""
        window = new_frames(reach + len(frames), frames.shape[1], frames)
        past = self._past.get(conv)
        window[:reach] = 0 if past is None else past
        window[reach:] = frames
        self.keep(conv, window, reach)
        return window

    def copy(self) -> History:
        """A history of the same past that goes its own way."""
        other = History()
        other._past = dict(self._past)
        return other

    def adopt(self, other: History) -> None:
        """Go on from where `other` is."""
        self._past = other._past


def new_frames(count: int, channels: int, like: Tensor, scale: int = 1) -> Tensor:
    """Uninitialised frames (count, channels, scale H, scale W) of the kind of `like`, channels last."""
    height, width = like.shape[-2:]
    shape = (count, channels, scale * height, scale * width)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
