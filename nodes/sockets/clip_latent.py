"""A restored clip between the step and its decoding: what links of the type LATENT carry.

T frames of H x W pixels; t h w latent grid. ComfyUI has one latent (1, 16, t, h, w) of a whole clip, not normalised;
ours are those of overlapping windows. They ride along, so that our own decoding is exact; the merged one is what
ComfyUI's nodes see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ...vfe.models.wan_vae.latents import denormalised
from ...vfe.pipeline.latents import WindowLatent
from ...vfe.pipeline.tiling import ramp
from ...vfe.pipeline.windows import CrossFader, Window, WindowConfig
from ...vfe.types import FRAMES_PER_LATENT, VFEError

KEY = "vfe"


class LiteLatentError(VFEError, AttributeError):
    """Somebody else was given a latent of lite's. Whoever asks whether it has something is told no."""

    def __init__(self) -> None:
        super().__init__("a latent of VFE's lite restorer: decode it with 'VAE Decode Tiled (exact)' and its RESTORER")


def _refuse(*_arguments: object, **_options: object) -> Any:  # noqa: ANN401 - it never returns
    raise LiteLatentError


class LiteLatent:
    """Stands where ComfyUI has a tensor, and refuses all that is done with one."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it never returns
        if name.startswith("__"):  # Python asks for these itself, to copy or to show the object
            raise AttributeError(name)
        raise LiteLatentError

    __torch_function__: Any = classmethod(_refuse)
    __getitem__ = __setitem__ = __iter__ = __len__ = __array__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _refuse


@dataclass(frozen=True)
class PlacedLatent:
    """Of a window whose first frame is frame `start` of the clip."""

    start: int
    latent: WindowLatent


@dataclass(frozen=True, kw_only=True)
class ClipLatent:
    """Of a whole clip; `samples` is what was put beside it, and tells whether somebody has changed that."""

    frames: int
    height: int
    width: int
    config: WindowConfig
    windows: tuple[PlacedLatent, ...]
    samples: Tensor | LiteLatent

    def as_latent(self) -> dict[str, object]:
        """A LATENT."""
        return {"samples": self.samples, KEY: self}


def ride_along(latent: dict[str, Any]) -> ClipLatent | None:
    """The windows of a LATENT; None where it came from elsewhere."""
    clip = latent.get(KEY)
    return clip if isinstance(clip, ClipLatent) else None


def is_unchanged(latent: dict[str, Any]) -> bool:
    """Whether the windows of a LATENT are still what its samples are."""
    clip = ride_along(latent)
    return clip is not None and latent["samples"] is clip.samples


class WindowFader:
    """Decoded windows to the frames of the clip."""

    def __init__(self, clip: ClipLatent) -> None:
        self._fader = CrossFader(clip.config)

    def push(self, start: int, frames: list[Tensor]) -> Iterator[Tensor]:
        yield from self._fader.push(Window(frames, start, 0), frames)

    def finish(self) -> Iterator[Tensor]:
        yield from self._fader.finish()


def merged(windows: tuple[PlacedLatent, ...], overlap: int) -> Tensor:
    """One latent of the clip as ComfyUI has it: (1, 16, t, h, w), not normalised, windows cross-faded as frames are.

    The first latent of a window is its first frame alone, which the clip has as the last of a group of four: but for
    the first window's it is left out.
    """
    parts: list[Tensor] = []
    for window in windows:
        assert window.start % FRAMES_PER_LATENT == 0 and len(window.latent.tiles) == 1
        base = window.start // FRAMES_PER_LATENT
        first = max(base + (base > 0), len(parts) - overlap // FRAMES_PER_LATENT)
        fresh = window.latent.tiles[0].z_hq.float().cpu()[:, :, first - base :].unbind(2)
        tail = parts[first:]
        weights = ramp(len(tail)).tolist()
        parts[first:] = [torch.lerp(old, new, weight) for old, new, weight in zip(tail, fresh, weights, strict=False)]
        parts += fresh[len(tail) :]
    latent = torch.stack(parts, dim=2)
    return rearrange(denormalised(rearrange(latent, "1 c t h w -> t c h w")), "t c h w -> 1 c t h w").contiguous()
