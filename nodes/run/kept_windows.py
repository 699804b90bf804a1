"""Restored windows, and the steps of the model in them, are kept until ComfyUI starts again.

With another `blend`, or other faces chosen, a run then pastes what it restored before; with another `strength` the
model has taken its step already. Both are kept to the bit: a run gives what it would give without them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...vfe.models.dit.experts import ExpertChoice
from ...vfe.models.flow import OneStepFlow
from ...vfe.models.prior import Prior
from ...vfe.models.wan_vae import VAEPlan
from ...vfe.pipeline.latent_decoder import Codec
from ...vfe.pipeline.memory_aware import MemoryAwareModel, MemoryAwarePipeline
from ...vfe.pipeline.one_step import OneStepModel, OneStepPipeline
from ...vfe.pipeline.windows import WindowConfig
from ...vfe.types import CheckCancelled
from ..host.kept_files import KeptFiles, key_of


class KeptWindows:
    """A pipeline that does not restore again what is kept, of a model of this identity."""

    def __init__(self, pipeline: OneStepPipeline, kept: KeptFiles, identity: str) -> None:
        """`identity` tells the model, with all that its results depend on, from all others."""
        self.pipeline, self.kept, self.identity = pipeline, kept, identity
        kind = KeptPlannedSteps if isinstance(pipeline, MemoryAwarePipeline) else KeptSteps
        pipeline.model = kind(pipeline.model, kept, identity)

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size, in pixels, are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore a window of frames (3, H, W), or (6, H, W) with the original, as the pipeline does."""
        check()
        how = repr((self.window_for(*frames[0].shape[-2:]), self._tiles(), strength))
        key = key_of("window", self.identity, how, tensors=frames)
        restored = self.kept.find(key, lambda source: list(source.get("frames").unbind(0)))
        if restored is None:
            restored = self.pipeline.restore_window(frames, strength, check)
            self.kept.keep(key, {"frames": torch.stack(restored)})
        return restored

    def _tiles(self) -> object:
        """Return how frames are cut into tiles, which shows in the last bits."""
        return self.pipeline.plan.vae if isinstance(self.pipeline, MemoryAwarePipeline) else self.pipeline.tile


class KeptSteps:
    """A model that does not take a step again that is kept."""

    def __init__(self, model: OneStepModel, kept: KeptFiles, identity: str) -> None:
        self.model, self.kept, self.identity = model, kept, identity

    @property
    def codec(self) -> Codec:
        """What makes latents of pixels, and pixels of latents."""
        return self.model.codec

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.device

    @property
    def flow(self) -> OneStepFlow:
        """The step that the model was trained for."""
        return self.model.flow

    @property
    def side_multiple(self) -> int:
        """The number of pixels to whose multiples the sides of a clip are padded."""
        return self.model.side_multiple

    @property
    def sees_original(self) -> bool:
        """Whether its velocity takes the latent of the clip as it was too."""
        return self.model.sees_original

    @property
    def experts(self) -> ExpertChoice | None:
        """What chooses between the experts of the model's network."""
        return self.model.experts

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        """Return the model's prior of a clip."""
        return self.model.read_prior(video, check)

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        """Return the model's velocity, which is kept; `check` is called in any case."""
        check()
        seen = [z_lq] if prior is None else [z_lq, prior.spatial, prior.temporal, prior.pooled]
        seen += [] if self.experts is None else [self.experts.chosen]
        key = key_of("step", self.identity, repr(None if prior is None else prior.strength), tensors=seen)
        known = self.kept.find(key, lambda source: source.get("velocity"))
        if known is not None:
            return known.to(z_lq.device)
        velocity = self.model.velocity(z_lq, check, prior)
        self.kept.keep(key, {"velocity": velocity})
        return velocity


class KeptPlannedSteps(KeptSteps):
    """The same of a model that can be told how much memory to use."""

    model: MemoryAwareModel

    def use_plan(self, vae: VAEPlan, resident: int) -> None:
        """Have the model run as planned."""
        self.model.use_plan(vae, resident)
