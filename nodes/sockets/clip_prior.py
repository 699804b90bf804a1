"""The prior of a clip, window by window: what links of the type PRIOR carry.

T frames; t h w token grid.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import repeat
from torch import Tensor

from ...vfe.models.prior import Prior, PriorStrength
from ...vfe.pipeline.one_step import OneStepPipeline
from ...vfe.pipeline.windows import Window
from ...vfe.types import CheckCancelled, VFEError
from ..backend.restorer import ComfyRestorer
from ..host.images import to_frames

GOLDEN = 0.61803398875  # neighbouring indices get far hues


@dataclass(frozen=True, kw_only=True)
class ClipPrior:
    """Read from `images` by `restorer`. Windows that were not foreseen are read when they are asked for."""

    images: Tensor
    restorer: ComfyRestorer
    strength: PriorStrength
    windows: Mapping[tuple[int, int], Prior]
    """By first frame and number of frames, on the CPU."""

    def check_fits(self, images: Tensor, restorer: ComfyRestorer) -> None:
        """VFEError where it is of another restorer, or of frames of another number or size."""
        if restorer is not self.restorer:
            raise VFEError("this PRIOR was read with another RESTORER; connect the same one to both nodes")
        if images.shape[:3] != self.images.shape[:3]:
            got, needed = ("{} frames of {} x {}".format(*clip.shape[:3]) for clip in (self.images, images))
            raise VFEError(f"this PRIOR is of {got}, the IMAGE has {needed}; read it from the same frames")

    def of(self, window: Window, pipeline: OneStepPipeline, check: CheckCancelled) -> Prior | None:
        """With the strengths of this prior."""
        known = self.windows.get((window.start, len(window.frames)))
        if known is None:
            part = self.images[window.start : window.start + len(window.frames)]
            known = pipeline.read_prior(list(to_frames(part)), check)
        return None if known is None else on_device(known, pipeline.model.device)._replace(strength=self.strength)


def on_device(prior: Prior, device: torch.device | str) -> Prior:
    return Prior(prior.spatial.to(device), prior.temporal.to(device), prior.pooled.to(device), prior.strength)


def code_picture(spatial: Tensor, temporal: Tensor, entries: int, side: int) -> Tensor:
    """Indices (h, w) of both codebooks, a colour each, side by side and enlarged: (h side, 2 w side, 3) in [0, 1]."""
    hues = [(index * GOLDEN) % 1 for index in range(entries)]
    values = [0.55 + 0.45 * (index % 3) / 2 for index in range(entries)]
    palette = torch.tensor([colorsys.hsv_to_rgb(hue, 0.65, value) for hue, value in zip(hues, values, strict=True)])
    colours = palette[torch.cat([spatial, temporal], dim=1).cpu()]
    return repeat(colours, "h w c -> (h a) (w b) c", a=side, b=side)
