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

GOLDEN_RATIO = 0.61803398875
"""The step, in turns of the colour wheel, from an index to the next: neighbours get hues that are far apart."""


@dataclass(frozen=True, kw_only=True)
class ClipPrior:
    """What a PRIOR link carries: the prior that `restorer` read from `images`.

    Windows other than those that it was read in are read when they are asked for.
    """

    images: Tensor
    restorer: ComfyRestorer
    strength: PriorStrength
    windows: Mapping[tuple[int, int], Prior]
    """{(first frame, number of frames): prior of that window, on the CPU}."""
    of_faces: bool = False
    """Whether it is of the faces in the images, for looking at alone."""

    def check_fits(self, images: Tensor, restorer: ComfyRestorer) -> None:
        """Raise VFEError where it is of another restorer, of frames of another number or size, or of faces."""
        if self.of_faces:
            raise VFEError(
                f"this PRIOR is of faces, as {self.restorer.name} has codebooks for them alone; disconnect it: Restore "
                "Faces reads them itself"
            )
        if restorer is not self.restorer:
            raise VFEError("this PRIOR was read with another RESTORER; connect the same one to both nodes")
        if images.shape[:3] != self.images.shape[:3]:
            got, needed = ("{} frames of {} x {}".format(*clip.shape[:3]) for clip in (self.images, images))
            raise VFEError(f"this PRIOR is of {got}, the IMAGE has {needed}; read it from the same frames")

    def of(self, window: Window, pipeline: OneStepPipeline, check: CheckCancelled) -> Prior | None:
        """Return the prior of a window with the strengths of this one, on the device of the pipeline's model."""
        known = self.windows.get((window.start, len(window.frames)))
        if known is None:
            part = self.images[window.start : window.start + len(window.frames)]
            known = pipeline.read_prior(list(to_frames(part)), check)
        return None if known is None else on_device(known, pipeline.model.device)._replace(strength=self.strength)


def on_device(prior: Prior, device: torch.device | str) -> Prior:
    """Return a prior whose tensors are on this device."""
    return Prior(prior.spatial.to(device), prior.temporal.to(device), prior.pooled.to(device), prior.strength)


def code_picture(spatial: Tensor, temporal: Tensor, entries: int, side: int) -> Tensor:
    """Return indices (h, w) of both codebooks as colours side by side, enlarged: (h side, 2 w side, 3) in [0, 1]."""
    hues = [(index * GOLDEN_RATIO) % 1 for index in range(entries)]
    values = [0.55 + 0.45 * (index % 3) / 2 for index in range(entries)]
    palette = torch.tensor([colorsys.hsv_to_rgb(hue, 0.65, value) for hue, value in zip(hues, values, strict=True)])
    colours = palette[torch.cat([spatial, temporal], dim=1).cpu()]
    return repeat(colours, "h w c -> (h a) (w b) c", a=side, b=side)
