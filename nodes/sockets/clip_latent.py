"""A restored clip between the step and its decoding: what links of the type LATENT carry.

T frames of H x W pixels; t h w latent grid. ComfyUI has one latent (1, 16, t, h, w) of a whole clip, not normalised;
ours are those of overlapping windows. They ride along, so that our own decoding is exact; the merged one is what
ComfyUI's nodes see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from einops import rearrange
from torch import Tensor

from ...vfe.models.wan_vae.latents import denormalised
from ...vfe.pipeline.latents import WindowLatent
from ...vfe.pipeline.tiling import ramp
from ...vfe.pipeline.windows import CrossFader, Window, WindowConfig
from ...vfe.types import FRAMES_PER_LATENT, VFEError

KEY = "vfe"
"""The key of a LATENT under which our windows ride along."""
LITE_REFUSED = "a latent of VFE's lite restorer: decode it with 'VAE Decode Tiled (exact)' and its RESTORER"


class LiteLatent(dict[str, Any]):
    """A LATENT of the lite restorer without "samples": nodes that ask for them get a VFEError that says what to do."""

    def __missing__(self, key: str) -> NoReturn:
        """Raise VFEError for `samples`, and KeyError for other keys, as any dictionary does."""
        raise VFEError(LITE_REFUSED) if key == "samples" else KeyError(key)

    def copy(self) -> LiteLatent:
        """Return a shallow copy of the same kind: nodes copy a LATENT before they change it."""
        return LiteLatent(self)


@dataclass(frozen=True)
class PlacedLatent:
    """The latent of a window whose first frame is frame `start` of the clip."""

    start: int
    latent: WindowLatent


@dataclass(frozen=True, kw_only=True)
class ClipLatent:
    """The restored latent of a whole clip of `frames` frames of `height` x `width` pixels, window by window."""

    frames: int
    height: int
    width: int
    config: WindowConfig
    windows: tuple[PlacedLatent, ...]
    samples: Tensor | None
    """The merged latent that other nodes see; None of a lite restorer, which has none that they could use."""

    def as_latent(self) -> dict[str, object]:
        """Return the LATENT that goes to other nodes."""
        return LiteLatent({KEY: self}) if self.samples is None else {"samples": self.samples, KEY: self}


def clip_of(latent: dict[str, Any]) -> ClipLatent | None:
    """Return the windows that ride along with a LATENT, or None where it came from elsewhere."""
    clip = latent.get(KEY)
    return clip if isinstance(clip, ClipLatent) else None


def unchanged_clip(latent: dict[str, Any]) -> ClipLatent | None:
    """Return the windows that ride along with a LATENT, or None where its samples are no longer those put beside them.

    Other nodes hand on a LATENT with other samples, and know nothing of what rides along.
    """
    clip = clip_of(latent)
    return clip if clip is not None and latent.get("samples") is clip.samples else None


def is_lite(latent: dict[str, Any]) -> bool:
    """Return whether a LATENT is one of a lite restorer."""
    clip = clip_of(latent)
    return clip is not None and clip.samples is None


class WindowFader:
    """Joins decoded windows to the frames of the clip."""

    def __init__(self, clip: ClipLatent) -> None:
        self._fader = CrossFader(clip.config)

    def push(self, start: int, frames: list[Tensor]) -> Iterator[Tensor]:
        """Take the frames (3, H, W) of a window, and yield those of the clip that no later window will change."""
        yield from self._fader.push(Window(frames, start, 0), frames)

    def finish(self) -> Iterator[Tensor]:
        """Yield the frames that still waited, when no window follows."""
        yield from self._fader.finish()


def merged(windows: tuple[PlacedLatent, ...], overlap: int) -> Tensor:
    """Return one latent of the clip as ComfyUI has it: (1, 16, t, h, w), not normalised, windows cross-faded.

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
