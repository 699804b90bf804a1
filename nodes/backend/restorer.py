"""A restorer whose networks ComfyUI loads and unloads: what links of the type RESTORER carry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from ...vfe.models.prior import DualCodebookPrior
from ...vfe.pipeline.latent_decoder import LatentDecoder
from ...vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from ...vfe.types import VideoShape


@dataclass(frozen=True)
class DecodePlan:
    """How a Wan latent is decoded; None is what fits the memory."""

    tile: int | None = None
    """Side of a tile in pixels."""
    latents_per_step: int | None = None


class ComfyRestorer(ABC):
    """A handle: the weights are in the patchers, and nothing is kept beside them.

    Each method loads what it needs for frames of `size`, which is that of a whole clip or of a window of it, and gives
    a pipeline that may be used until the node that asked for it returns.
    Raises VFEError where something does not fit the memory at all.
    """

    name: str
    faces: ComfyRestorer | None = None
    """What restores aligned faces for it, in whole frames too; None: faces are restored as frames are."""

    @property
    @abstractmethod
    def patchers(self) -> Sequence[ModelPatcher]:
        """Of all networks."""

    @property
    @abstractmethod
    def codebooks(self) -> DualCodebookPrior | None:
        """What reads its prior; None for a restorer without."""

    @property
    @abstractmethod
    def is_wan(self) -> bool:
        """Whether its latents are those of Wan's VAE, which ComfyUI knows."""

    @abstractmethod
    def enhancer(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        """The whole pipeline; `window` None: as suits the model."""

    @abstractmethod
    def prior_reader(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        """For `read_prior` only."""

    @abstractmethod
    def decoder(self, size: VideoShape, plan: DecodePlan) -> LatentDecoder:
        """Load the codec alone, and return what decodes latents with it."""

    def get_ram_usage(self) -> int:
        """Bytes: ComfyUI asks when it looks for what to forget."""
        own = sum(patcher.model_size() for patcher in self.patchers)
        return own + (0 if self.faces is None else self.faces.get_ram_usage())


def load(patchers: Sequence[ModelPatcher], activations: int) -> None:
    """Have ComfyUI load them together, with room for `activations` bytes beside them."""
    comfy.model_management.load_models_gpu(list(patchers), memory_required=activations)


def room_beside(patchers: Sequence[ModelPatcher], device: torch.device) -> int:
    """Bytes of the device for all but these weights, when ComfyUI has unloaded everything else."""
    weights = sum(patcher.model_size() for patcher in patchers)
    total = comfy.model_management.get_total_memory(device)
    return int(total - weights - comfy.model_management.extra_reserved_memory())


def free_bytes(device: torch.device) -> int:
    """Bytes of the device that are free now."""
    return int(comfy.model_management.get_free_memory(device))
