"""Restorers that teach or are taught, lite's or Wan's: a one-step DiT between the two ends of a codec.

B batch, C channels, T H W frames, t h w latent grid; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vfe.models.dit.experts import ExpertSizes
from vfe.models.dit.model import WanDiT
from vfe.models.lite import LiteModel
from vfe.models.wan_vae import WanVAE
from vfe.video.severity import severity
from vfe.weights.experts import save_experts
from vfe.weights.lite import save_lite_model
from vfe.weights.wan_vae import load_vae

from ..lite.net import restore_video, trainable_lite
from ..one_step import OneStepDiT
from ..run.recompute import checkpoint_blocks
from ..run.recorded import NOT_RECORDED
from ..wan.model import WanTrainConfig, export_trained, load_trainable
from ..wan.restore_video import WanClipRestoration
from .codec import Codec, LiteCodec, WanCodec


@dataclass(frozen=True, kw_only=True)
class RestorerConfig:
    """The files of a restorer: one of a lite model, or those of a Wan model."""

    lite: str | None = field(default=None, metadata=NOT_RECORDED)
    wan: WanTrainConfig | None = None

    def __post_init__(self) -> None:
        if (self.lite is None) == (self.wan is None):
            raise ValueError("a restorer is one of lite and wan; give the file of a lite model, or those of Wan")


class LatentRestorer(nn.Module):
    """A one-step DiT and its codec, which is no submodule: nothing of it is trained."""

    def __init__(self, model: OneStepDiT, codec: Codec, checkpointing: bool = False) -> None:
        super().__init__()
        self.model, self.checkpointing = model, checkpointing
        self._codec = (codec,)
        self.facts: dict[str, Any] = {}
        """What a method wants to be told of the result in its file, beside the facts of the run."""
        self.experts: ExpertSizes | None = None
        """The experts that a method gave the DiT, which alone are trained and exported of a Wan model."""

    @property
    def codec(self) -> Codec:
        """What encodes and decodes its latents."""
        return self._codec[0]

    def forward(self, z_lq: Tensor) -> Tensor:
        """z_lq -> z_hq, in float32."""
        z_hq: Tensor = self.model(z_lq)
        return z_hq

    def see(self, degraded: Tensor) -> None:
        """Choose experts by degraded video, where the DiT has some; its latents have to be restored next."""
        experts = self.model.dit.experts
        if experts is not None:
            experts.choose(severity(degraded))

    def use_dit(self, dit: WanDiT) -> None:
        """Restore with another DiT from now on, and export that one."""
        if self.checkpointing:
            checkpoint_blocks(dit.blocks)
        self.model.dit = dit

    @abstractmethod
    def prepare(self, device: torch.device, half: bool) -> None:
        """Put the codec on the device; it computes in float16 where `half` says so and it can."""

    @abstractmethod
    def restore_video(self, video: Tensor) -> Tensor:
        """Degraded video to restored video, of any size that the codec takes: what is scored."""

    @abstractmethod
    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the file that users load, with `facts` (how it was made) as metadata."""


class LiteRestorer(LatentRestorer):
    """A lite model of whole frames, without a prior: DiT and prompt embedding are trained."""

    def __init__(self, net: LiteModel, checkpointing: bool = False) -> None:
        """Raises ValueError for a model with a prior, or one of aligned faces, which other stages train."""
        if net.prior is not None or net.sees_original:
            raise ValueError(
                "the lite model has a prior or restores aligned faces: distillation takes one of whole frames without "
                "a prior; python -m training.lite.drop_prior makes one"
            )
        assert isinstance(net.dit, WanDiT)
        if checkpointing:
            checkpoint_blocks(net.dit.blocks)
        super().__init__(OneStepDiT(net.dit, net.context, net.flow), LiteCodec(net.codec), checkpointing)
        self._net = (net,)  # in a tuple: its DiT and prompt would be named twice

    @property
    def net(self) -> LiteModel:
        """The whole model; the DiT and the prompt embedding are those that are trained."""
        return self._net[0]

    def use_dit(self, dit: WanDiT) -> None:
        super().use_dit(dit)
        self.net.dit, self.net.config = dit, replace(self.net.config, dit=dit.config)

    def prepare(self, device: torch.device, half: bool) -> None:  # noqa: ARG002 - exact in float32 alone
        self.net.codec.to(device)

    def restore_video(self, video: Tensor) -> Tensor:
        self.see(video)
        return restore_video(self.net, video)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_lite_model(path, self.net, facts)


class WanRestorer(LatentRestorer):
    """A Wan model, whose DiT is trained, or a LoRA on it."""

    def __init__(self, config: WanTrainConfig, checkpointing: bool = False) -> None:
        """Raises VFEError where a file is not what it should be, or they do not fit together."""
        vae = load_vae(Path(config.vae))
        super().__init__(load_trainable(config, checkpointing), WanCodec(vae, checkpointing), checkpointing)
        self.config = config
        self._vae = (vae,)  # in a tuple: it keeps its own device and dtype

    @property
    def vae(self) -> WanVAE:
        """The VAE, which stays as it is."""
        return self._vae[0]

    def prepare(self, device: torch.device, half: bool) -> None:
        self.vae.prepare(device, torch.float16 if half else torch.float32)

    def restore_video(self, video: Tensor) -> Tensor:
        self.see(video)
        return WanClipRestoration(self.model, self.vae)(video)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        if self.experts is not None:
            base = {"base": Path(self.config.dit).name}
            save_experts(path, self.model.dit, self.experts, self.config.flow, facts | base)
        else:
            export_trained(path, self.model.dit, self.config, facts)


def load_restorer(config: RestorerConfig, checkpointing: bool = False) -> LatentRestorer:
    """The restorer of a config, in float32 on the CPU, ready to be trained.

    Raises VFEError or ValueError where a file is not what it should be.
    """
    if config.wan is not None:
        return WanRestorer(config.wan, checkpointing)
    assert config.lite is not None
    return LiteRestorer(trainable_lite(Path(config.lite)), checkpointing)
