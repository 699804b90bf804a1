"""Restored crops, and the steps of the model, are kept until ComfyUI starts again.

With another `blend`, or other faces chosen, a run then pastes the crops that it restored before; with another
`strength` the model has taken its step already. Both are kept to the bit: a run gives what it would give without them.
Whole frames are not kept but for their steps, which are at most half as large with 16 bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

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
from ...vfe.tensor_io.source import TensorSource
from ...vfe.types import CheckCancelled
from ..host.fingerprint import fingerprint, memory_order
from ..host.kept_files import KeptFiles, key_of

MADE = "made"
"""The key, in a file, of a tensor, whose axes are there in their order in memory."""
ORDER = "order"
"""The key, in its metadata, of that order."""


class Results:
    """What a model of this identity made: kept while there is room, and not looked for any more when there is none."""

    def __init__(self, kept: KeptFiles, identity: str) -> None:
        """`identity` tells the model, with all that its results depend on, from all others."""
        self.kept, self.identity = kept, identity
        self._has_room = True

    def once(self, seen: Iterable[Tensor], how: Callable[[], str], make: Callable[[], Tensor]) -> Tensor:
        """Return what was kept of a model that saw these tensors, and did so in this way, or else what `make` gives.

        A model that runs out of memory goes on in another way: what it made is kept as made in that one.
        """
        if not self._has_room:
            return make()
        contents = [fingerprint(tensor).hex() for tensor in seen]
        found = self.kept.find(key_of(self.identity, how(), *contents), _read)
        if found is None:
            found = make()
            self._has_room = self._keep(key_of(self.identity, how(), *contents), found)
        return found

    def _keep(self, key: str, made: Tensor) -> bool:
        order = memory_order(made)
        return self.kept.keep(key, {MADE: made.permute(order)}, {ORDER: json.dumps(order)})


def _read(source: TensorSource) -> Tensor:
    order = json.loads(source.metadata[ORDER])
    return source.get(MADE).permute([order.index(axis) for axis in range(len(order))])


class KeptWindows:
    """A pipeline that does not restore windows again that are kept: of crops, which are small beside their frames."""

    def __init__(self, pipeline: OneStepPipeline, results: Results) -> None:
        self.pipeline, self.results = pipeline, results

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size, in pixels, are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore a window of frames (3, H, W), or (6, H, W) with the original, as the pipeline does."""
        check()
        height, width = frames[0].shape[-2:]

        def how() -> str:
            return repr(("window", self.window_for(height, width), self._tiles(), strength))

        def restored() -> Tensor:
            return torch.stack(self.pipeline.restore_window(frames, strength, check))

        return list(self.results.once(frames, how, restored).unbind(0))

    def _tiles(self) -> object:
        """Return how frames are cut into tiles, which shows in the last bits."""
        return self.pipeline.plan.vae if isinstance(self.pipeline, MemoryAwarePipeline) else self.pipeline.tile


def keep_steps(pipeline: OneStepPipeline, results: Results) -> None:
    """Have the model of a pipeline not take steps again that are kept: of crops and of whole frames."""
    kind = KeptPlannedSteps if isinstance(pipeline, MemoryAwarePipeline) else KeptSteps
    pipeline.model = kind(pipeline.model, results)


class KeptSteps:
    """A model that does not take a step again that is kept. Its velocities are of 16 bits as a rule."""

    def __init__(self, model: OneStepModel, results: Results) -> None:
        self.model, self.results = model, results

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
        how = repr(("step", None if prior is None else prior.strength))
        velocity = self.results.once(seen, lambda: how, lambda: self.model.velocity(z_lq, check, prior))
        return velocity.to(z_lq.device)


class KeptPlannedSteps(KeptSteps):
    """The same of a model that can be told how much memory to use."""

    model: MemoryAwareModel

    def use_plan(self, vae: VAEPlan, resident: int) -> None:
        """Have the model run as planned."""
        self.model.use_plan(vae, resident)
