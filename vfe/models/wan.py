"""The Wan model: VAE, one call of a DiT with fixed timestep and prompt, into which a prior is fused, and one step.

z latent (B, 16, t, h, w), video (B, 3, 4n+1, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..types import CheckCancelled
from .dit.compiled import compile_blocks
from .dit.experts import ExpertChoice
from .dit.folded import FoldedDiT
from .dit.model import DiTConfig, Fuse, WanDiT
from .dit.offload import BlockStreamer, stream_blocks
from .flow import OneStepFlow
from .prior import Prior
from .prior.fusion import PriorAdapter
from .wan_vae import VAEPlan, WanVAE

PROMPT_ROWS = 512
"""Wan's DiT takes 512 rows: umT5's output is cut to the tokens of the text and filled up with zero rows, which are
attended to like all others. In Wan2.1 `T5EncoderModel.__call__` cuts and `WanModel.forward` fills up to `text_len`;
`WanPipeline._get_t5_prompt_embeds` of diffusers and the zeroed padding of ComfyUI's umT5 give the same."""


class ConditionedDiT(nn.Module):
    """A DiT that was not folded, together with its timestep and prompt embedding (1, S, text_dim)."""

    prompt: Tensor

    def __init__(self, dit: WanDiT, timestep: float, prompt: Tensor) -> None:
        super().__init__()
        self.dit = dit
        self.timestep = timestep
        self.register_buffer("prompt", prompt)

    @property
    def config(self) -> DiTConfig:
        """The size of the DiT."""
        return self.dit.config

    @property
    def experts(self) -> ExpertChoice | None:
        """What chooses between the experts of the DiT; None where it has none."""
        return self.dit.experts

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of the DiT."""
        return self.dit.blocks

    def forward(self, z: Tensor, fuse: Fuse | None = None) -> Tensor:
        """Return the velocity of a latent (B, C, t, h, w); `fuse` is called before each block."""
        return self.dit(z, self.timestep, self.prompt, fuse)


@dataclass(frozen=True)
class WanCompute:
    """Where a Wan model computes, and in which number formats."""

    device: torch.device
    dtype: torch.dtype
    """The dtype of the DiT."""
    fp8: bool = False
    """Whether the DiT's linear layers are stored in 8 bits, and cast when they are used."""

    @property
    def vae_dtype(self) -> torch.dtype:
        """The dtype of the VAE: fp16 beside a bf16 DiT on CUDA, where it is fast and keeps 18 dB more than bf16."""
        return torch.float16 if self.device.type == "cuda" and self.dtype == torch.bfloat16 else self.dtype

    @property
    def has_own_memory(self) -> bool:
        """Whether the device has memory beside the host's: blocks can wait there, and frames do."""
        return self.device.type in ("cuda", "xpu")


class WanModel(nn.Module):
    """z_hq = z_lq - s v(z_lq, f_s, f_t); there is a prior only with an adapter."""

    def __init__(
        self,
        dit: FoldedDiT | ConditionedDiT,
        vae: WanVAE,
        flow: OneStepFlow,
        compute: WanCompute,
        *,
        adapter: PriorAdapter | None = None,
        compiled: bool = False,
    ) -> None:
        """The weights stay on the CPU until `use_plan` or `keep_resident` is called."""
        super().__init__()
        self.dit = dit
        self.codec = vae
        self.flow = flow
        self.compute = compute
        self.adapter = adapter
        self.compiled = compiled

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.compute.device

    @property
    def side_multiple(self) -> int:
        """The number of pixels along a token: 8 of the VAE times 2 of the patches."""
        return 8 * max(self.dit.config.patch[1:])

    @property
    def sees_original(self) -> bool:
        """Whether it takes a second latent; no Wan model for text-to-video does."""
        return False

    @property
    def experts(self) -> ExpertChoice | None:
        """What chooses between the experts of its DiT; None where it has none."""
        return self.dit.experts

    def use_plan(self, vae: VAEPlan, resident: int) -> None:
        """Run the VAE as `vae` says, and keep `resident` blocks of the DiT on the device."""
        self.codec.plan = vae
        self.keep_resident(resident)

    def keep_resident(self, blocks: int) -> None:
        """Put the model on the device, but only `blocks` of the DiT's blocks; the others are streamed to it."""
        dit = self.dit.dit if isinstance(self.dit, ConditionedDiT) else self.dit
        if blocks < dit.config.layers or isinstance(dit.blocks, BlockStreamer):
            stream_blocks(dit, self.device, min(blocks, dit.config.layers))
        self.dit.to(self.device)
        if self.adapter is not None:
            self.adapter.to(self.device)
        self.codec.prepare(self.device)  # its parameters stay where they are: only what is derived from them runs
        if self.compiled:
            compile_blocks(dit)

    def forward(self, z_lq: Tensor, fuse: Fuse | None = None) -> Tensor:
        """Return the velocity of a degraded latent, in its shape."""
        return self.dit(z_lq, fuse)

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        """Return f_s and f_t of degraded video (B, 3, 4n+1, H, W) in [-1, 1], or None without an adapter."""
        return None if self.adapter is None else self.adapter.prior(video, check)

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        """Return the velocity of a degraded latent in the DiT's dtype; `check` is called before each block."""
        fuse = None if self.adapter is None or prior is None else self.adapter.fusion(prior)
        return self(z_lq.to(self.compute.dtype), watching(check, fuse))


def watching(check: CheckCancelled, fuse: Fuse | None) -> Fuse:
    """Return a `Fuse` that calls `check` before each block, and then `fuse` if there is one."""

    def watch(index: int, x: Tensor) -> Tensor:
        check()
        return x if fuse is None else fuse(index, x)

    return watch
