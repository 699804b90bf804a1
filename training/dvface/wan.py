"""Wan2.1 with the adapter of DVFace, trainable: DiT (LoRA or whole), fusion and VAE decoder.

B batch, T H W frames; z latent (B, 16, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vfe.models.prior import DualCodebookPrior, Prior
from vfe.models.prior.fusion import AsymmetricFusion, FusionConfig, PriorAdapter, check_prior
from vfe.weights.adapter import write_adapter
from vfe.weights.save import save_vae
from vfe.weights.wan_vae import load_vae

from ..wan.decoder import WanDecoder
from ..wan.model import WanTrainConfig, export_trained, load_trainable
from .net import DVFaceNet


class WanNet(DVFaceNet):
    """A Wan model as the stage dvface trains it. The VAE's encoder and the prior are fixed.

    The encoder is no submodule: it keeps its own device and dtype, and runs as the package runs it.
    """

    def __init__(
        self,
        config: WanTrainConfig,
        prior: DualCodebookPrior,
        fusion: FusionConfig,
        *,
        decoder: bool,
        checkpointing: bool,
    ) -> None:
        """Load the files of `config`. `decoder` says whether the VAE's decoder is trained too.

        Raises VFEError where a file is not what it should be, or they do not fit together.
        """
        super().__init__()
        self.config = config
        self.model = load_trainable(config, checkpointing)
        self.prior = prior.eval().requires_grad_(False)
        self.fusion = AsymmetricFusion(fusion)
        vae = load_vae(Path(config.vae))
        check_prior(prior.config, fusion, self.model.dit.config, vae.config.time, vae.config.space)
        self.decoder = WanDecoder(vae, checkpointing).requires_grad_(decoder)
        self._vae = (vae,)  # in a tuple: it keeps its own device and dtype

    @property
    def token(self) -> int:
        return self._vae[0].config.space * self.model.dit.config.patch[1]

    def encode(self, video: Tensor) -> Tensor:
        return self._vae[0].encode(video)

    @torch.no_grad()
    def read_prior(self, video: Tensor) -> Prior:
        prior: Prior = self.prior(video)
        return prior

    def restore(self, z_lq: Tensor, prior: Prior) -> Tensor:
        z_hq: Tensor = self.model(z_lq, self.fusion(prior))
        return z_hq

    def decode(self, z: Tensor) -> Tensor:
        video: Tensor = self.decoder(z)
        return video

    def prepare(self, device: torch.device, half: bool) -> None:
        """Put the VAE's encoder on the device, in float16 where training is in half precision."""
        self._vae[0].prepare(device, torch.float16 if half else torch.float32)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """The DiT's LoRA or weights at `path`, the adapter and, where it was trained, the VAE beside it."""
        origin = export_trained(path, self.model.dit, self.config, facts)
        adapter = PriorAdapter(self.prior.config, self.fusion.config)
        adapter.prior, adapter.fusion = self.prior, self.fusion
        write_adapter(path.with_suffix(".adapter.safetensors"), adapter, facts, torch.float32)
        if any(parameter.requires_grad for parameter in self.decoder.parameters()):
            decoder = self.decoder.official_state()
            save_vae(path.with_suffix(".vae.safetensors"), Path(self.config.vae), decoder, origin)
