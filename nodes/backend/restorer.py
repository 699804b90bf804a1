"""A restorer whose networks ComfyUI loads and unloads: what links of the type RESTORER carry.

It is the model with its weights; the pipeline that runs it over clips is made anew for each node that runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from ...vfe.loading.head_steps import choose_roll
from ...vfe.models.dit.head_steps import rolled
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.flow import OneStepFlow
from ...vfe.models.prior import DualCodebookPrior
from ...vfe.pipeline.latent_decoder import LatentDecoder
from ...vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from ...vfe.tensor_io.source import TensorSource
from ...vfe.types import VideoShape


@dataclass(frozen=True)
class DecodePlan:
    """How a Wan latent is decoded; None takes what fits the memory."""

    tile: int | None = None
    """The side of a tile in pixels."""
    latents_per_step: int | None = None
    """How many latents, of four frames each, are decoded at once."""


class ComfyRestorer(ABC):
    """A handle of a model: its weights are in the patchers, and nothing is kept beside them.

    Each method loads what it needs for frames of `size`, which is that of a whole clip or of a window of it, and gives
    a pipeline that may be used until the node that asked for it returns.
    Raises VFEError where something does not fit the memory at all.
    """

    name: str
    """What people know it by: the entry of the list or the name of the file."""
    made_of: Mapping[str, object] = MappingProxyType({})
    """What was chosen of it that a result depends on, by name, for records of what was restored by which."""
    identity: str = ""
    """What tells it from all others: the contents of its files, and how it computes. Nothing that it gives is kept for
    a later run where it is empty."""
    faces: ComfyRestorer | None = None
    """The restorer of aligned faces that works beside it; None where faces are restored as frames are."""

    trained: Sequence[TensorSource] = ()
    """Its files, whose metadata says how many steps its last blocks were trained for."""

    @property
    @abstractmethod
    def dit(self) -> WanDiT:
        """Its DiT, before it is folded."""

    @property
    @abstractmethod
    def flow(self) -> OneStepFlow:
        """The step that it was trained for."""

    @contextmanager
    def taking(self, steps: int) -> Iterator[None]:
        """Let its last blocks take so many steps while the context lasts.

        Raises VFEError for more than it was trained for.
        """
        with rolled(self.dit, choose_roll(self.name, self.trained, steps, self.dit.config, self.flow)):
            yield

    @property
    @abstractmethod
    def patchers(self) -> Sequence[ModelPatcher]:
        """The patchers of all its networks."""

    @property
    @abstractmethod
    def codebooks(self) -> DualCodebookPrior | None:
        """The codebooks and predictors that read its prior; None for a restorer without."""

    @property
    @abstractmethod
    def is_wan(self) -> bool:
        """Whether its latents are those of Wan's VAE, which ComfyUI knows."""

    @abstractmethod
    def enhancer(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        """Load all networks and return the whole pipeline; `window` None takes what suits the model and the memory."""

    @abstractmethod
    def prior_reader(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        """Load what reads the prior alone, and return a pipeline for `read_prior`."""

    @abstractmethod
    def decoder(self, size: VideoShape, plan: DecodePlan) -> LatentDecoder:
        """Load the codec alone, and return what decodes latents with it."""

    def get_ram_usage(self) -> int:
        """Return the bytes of its weights: ComfyUI asks when it looks for what to drop from its cache."""
        own = sum(patcher.model_size() for patcher in self.patchers)
        return own + (0 if self.faces is None else self.faces.get_ram_usage())


def load(patchers: Sequence[ModelPatcher], activations: int) -> None:
    """Have ComfyUI load networks together, with room for `activations` bytes beside them."""
    comfy.model_management.load_models_gpu(list(patchers), memory_required=activations)


def room_beside(patchers: Sequence[ModelPatcher], device: torch.device) -> int:
    """Return the bytes of the device for all but these weights, when ComfyUI has unloaded everything else."""
    weights = sum(patcher.model_size() for patcher in patchers)
    total = comfy.model_management.get_total_memory(device)
    return int(total - weights - comfy.model_management.extra_reserved_memory())


def free_bytes(device: torch.device) -> int:
    """Return the bytes of the device that are free now."""
    return int(comfy.model_management.get_free_memory(device))
