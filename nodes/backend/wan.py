"""The Wan restorer under ComfyUI: DiT, VAE and adapter each under a patcher of its own.

z latent (B, 16, t, h, w), video (B, 3, 4n+1, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import PatcherInjection
from torch import Tensor

from ...vfe.models.dit.experts import ExpertChoice
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.flow import OneStepFlow
from ...vfe.models.prior import DualCodebookPrior, Prior
from ...vfe.models.prior.fusion import PriorAdapter
from ...vfe.models.wan import ConditionedDiT, watching
from ...vfe.models.wan_vae import VAEPlan, WanVAE
from ...vfe.pipeline.latent_decoder import LatentDecoder
from ...vfe.pipeline.memory_aware import MemoryAwarePipeline
from ...vfe.pipeline.memory_plan import DEFAULT_FRAMES, WanSizes, plan_candidates
from ...vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from ...vfe.types import CheckCancelled, Notify, VideoShape, padded_frames
from .folding import Folding
from .patcher import NAME, patcher_of
from .restorer import ComfyRestorer, DecodePlan, free_bytes, load, room_beside
from .vae_plan import kernel_bytes, plan_decode


@dataclass(frozen=True, kw_only=True)
class WanNetworks:
    """The networks of a Wan restorer on the CPU, of ComfyUI's layers; `sizes` says what they need while they run."""

    dit: ConditionedDiT
    vae: WanVAE
    adapter: PriorAdapter | None
    flow: OneStepFlow
    sizes: WanSizes
    compiled: bool = False
    """Whether the blocks of the DiT are compiled once it is folded."""


class ComfyWan(ComfyRestorer):
    """The RESTORER of a Wan model, itself the `OneStepModel` that pipelines run.

    Its DiT is folded while it is loaded whole.
    """

    def __init__(self, name: str, networks: WanNetworks, notify: Notify) -> None:
        self.name, self.networks, self.notify = name, networks, notify
        management = comfy.model_management
        device, offload = management.get_torch_device(), management.unet_offload_device()
        self.dit_patcher = patcher_of(networks.dit, device, offload)
        self.vae_patcher = vae_patcher_of(networks.vae)
        self.adapter_patcher = None if networks.adapter is None else patcher_of(networks.adapter, device, offload)
        dit = networks.dit
        self.folding = Folding(
            self.dit_patcher, dit.dit, dit.timestep, lambda: dit.prompt, networks.sizes.compute.dtype
        )
        self.folding.compiled = networks.compiled
        kernels = kernel_bytes(self.vae_patcher.model_size())
        self.sizes = replace(networks.sizes, block_bytes=0, fixed_bytes=kernels)  # what is not under a patcher

    @property
    def dit(self) -> WanDiT:
        return self.networks.dit.dit

    @property
    def patchers(self) -> Sequence[ModelPatcher]:
        """The patchers of DiT, VAE and, where there is one, adapter."""
        return [self.dit_patcher, self.vae_patcher, *self._adapters]

    @property
    def codebooks(self) -> DualCodebookPrior | None:
        return None if self.networks.adapter is None else self.networks.adapter.prior

    @property
    def is_wan(self) -> bool:
        return True

    def enhancer(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        return self._planned(self.patchers, size, window)

    def prior_reader(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        return self._planned(self._adapters, size, window)

    def decoder(self, size: VideoShape, plan: DecodePlan) -> LatentDecoder:
        vae = self.networks.vae
        device = self.vae_patcher.load_device
        latents = vae.latent_shape(size.padded(self.side_multiple))
        kernels = self.sizes.fixed_bytes
        room = room_beside([self.vae_patcher], device) - kernels
        planned = plan_decode(vae.config, vae.dtype, latents, plan, room)
        load([self.vae_patcher], planned.bytes + kernels)
        vae.plan = planned.plan
        return LatentDecoder(self)

    @property
    def _adapters(self) -> list[ModelPatcher]:
        return [] if self.adapter_patcher is None else [self.adapter_patcher]

    def _planned(
        self, patchers: Sequence[ModelPatcher], size: VideoShape, window: WindowConfig | None
    ) -> MemoryAwarePipeline:
        """Load networks and return a pipeline.

        They are loaded for a plan that fits the device when nothing else is on it; the pipeline then plans for what is
        free.
        """
        window = fitting(window, size.frames)
        plans = plan_candidates(self.sizes, size.height, size.width, window)
        room = room_beside(patchers, self.device)
        plan = next((plan for plan in plans if plan.bytes <= room), plans[-1])
        load(patchers, plan.bytes)
        return MemoryAwarePipeline(self, self.sizes, free_bytes(self.device), window, self.notify)

    @property
    def codec(self) -> WanVAE:
        return self.networks.vae

    @property
    def flow(self) -> OneStepFlow:
        return self.networks.flow

    @property
    def device(self) -> torch.device:
        return self.folding.load_device

    @property
    def side_multiple(self) -> int:
        return self.networks.vae.config.space * max(self.networks.dit.config.patch[1:])

    def use_plan(self, vae: VAEPlan, resident: int) -> None:
        """Run the VAE as `vae` says. Which blocks are on the device is ComfyUI's to say."""
        del resident
        self.networks.vae.plan = vae

    @property
    def sees_original(self) -> bool:
        return False

    @property
    def experts(self) -> ExpertChoice | None:
        return self.networks.dit.experts

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        adapter = self.networks.adapter
        return None if adapter is None else adapter.prior(video.to(self.device), check)

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        adapter = self.networks.adapter
        fuse = None if adapter is None or prior is None else adapter.fusion(prior)
        z = z_lq.to(self.device, self.sizes.compute.dtype)
        dit = self.folding.folded() or self.networks.dit
        velocity: Tensor = dit(z, watching(check, fuse))
        return velocity.to(z_lq.device)


def vae_patcher_of(vae: WanVAE) -> ModelPatcher:
    """Return a patcher that derives the VAE's kernels when it is loaded, and drops them before it is moved."""
    management = comfy.model_management
    patcher = patcher_of(vae, management.vae_device(), management.vae_offload_device())
    dtype = vae.dtype

    def inject(patcher: ModelPatcher) -> None:
        vae.prepare(patcher.load_device, dtype)

    def eject(patcher: ModelPatcher) -> None:  # noqa: ARG001 - ComfyUI's signature
        vae.release()

    patcher.set_injections(NAME, [PatcherInjection(inject, eject)])
    return patcher


def fitting(window: WindowConfig | None, frames: int) -> WindowConfig | None:
    """Return a window no longer than a clip of `frames`, whose length then changes the memory and not the result.

    None takes the windows that suit the model.
    """
    whole = padded_frames(frames)
    if window is not None and window.frames <= whole:
        return window
    return WindowConfig.of(whole) if window is not None or whole < DEFAULT_FRAMES else None
