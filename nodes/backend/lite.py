"""The lite model under ComfyUI: its weights are ComfyUI's to load and unload.

B batch, T H W pixel frames; z latent (B, C, t, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...vfe.models.dit.experts import ExpertChoice
from ...vfe.models.dit.model import WanDiT
from ...vfe.models.flow import OneStepFlow
from ...vfe.models.lapped_codec import LappedCodec
from ...vfe.models.lite import LiteConfig, LiteModel
from ...vfe.models.prior import DualCodebookPrior, Prior
from ...vfe.models.wan import watching
from ...vfe.pipeline.latent_decoder import LatentDecoder
from ...vfe.pipeline.one_step import DEFAULT_TILE, TILE_GRID, OneStepPipeline, WindowConfig
from ...vfe.types import CheckCancelled, VideoShape
from ...vfe.weights.lite import LITE_FORMAT, load_lite_model
from .folding import Folding
from .ops import COMFY_OPS
from .patcher import patcher_of
from .restorer import ComfyRestorer, DecodePlan, load

CPU = torch.device("cpu")
WORKSPACE = 1.5
"""The bytes that are asked for, over those counted: convolutions and attention take some beside their tensors."""


class ComfyLite(ComfyRestorer):
    """The RESTORER of a lite model, itself the `OneStepModel` that pipelines run.

    The weights are in float32 under a patcher, and run in `dtype`.
    """

    def __init__(self, name: str, network: LiteModel, dtype: torch.dtype) -> None:
        assert isinstance(network.dit, WanDiT)
        self.name, self.network, self.dtype = name, network, dtype
        for part in (network.prior, network.fusion):
            if part is not None:
                part.to(dtype)
        load_device = comfy.model_management.get_torch_device()
        self.patcher = patcher_of(network, load_device, comfy.model_management.unet_offload_device())
        timestep = network.config.flow.timestep
        self.folding = Folding(self.patcher, network.dit, timestep, lambda: network.context, dtype)

    @classmethod
    def load(cls, name: str, path: Path, dtype: torch.dtype) -> ComfyLite:
        """Read a file of a lite model; VFEError where it is none. `name` is for people."""
        network = load_lite_model(path, CPU, torch.float32, lambda config: LiteModel(config, COMFY_OPS))
        restorer = cls(name, network, dtype)
        restorer.trained = (LITE_FORMAT.open(path),)
        return restorer

    @property
    def dit(self) -> WanDiT:
        assert isinstance(self.network.dit, WanDiT)
        return self.network.dit

    @property
    def patchers(self) -> Sequence[ModelPatcher]:
        """The only patcher."""
        return [self.patcher]

    @property
    def codebooks(self) -> DualCodebookPrior | None:
        return self.network.prior

    @property
    def is_wan(self) -> bool:
        return False

    def enhancer(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        window = window or WindowConfig()
        load(self.patchers, activation_bytes(self.network.config, size, window, self.dtype))
        return OneStepPipeline(self, window)

    def prior_reader(self, size: VideoShape, window: WindowConfig | None) -> OneStepPipeline:
        return self.enhancer(size, window)

    def decoder(self, size: VideoShape, plan: DecodePlan) -> LatentDecoder:
        """Return what decodes its latents. The transform is exact and small, so there is nothing to plan."""
        del plan
        return self.enhancer(size, None)

    @property
    def codec(self) -> LappedCodec:
        return self.network.codec

    @property
    def flow(self) -> OneStepFlow:
        return self.network.flow

    @property
    def device(self) -> torch.device:
        return self.folding.load_device

    @property
    def side_multiple(self) -> int:
        return self.network.side_multiple

    @property
    def sees_original(self) -> bool:
        return self.network.sees_original

    @property
    def experts(self) -> ExpertChoice | None:
        return self.network.experts

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        return None if self.network.prior is None else self.network.prior(video.to(self.device), check)

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        network = self.network
        fuse = None if network.fusion is None or prior is None else network.fusion(prior)
        z, watch = z_lq.to(self.dtype), watching(check, fuse)
        folded = self.folding.folded()
        v = folded(z, watch) if folded is not None else self.dit(z, self.flow.timestep, network.context, watch)
        return network.without_grid_(v, z_lq)


def activation_bytes(config: LiteConfig, size: VideoShape, window: WindowConfig, dtype: torch.dtype) -> int:
    """Return the most bytes beside the weights for a window of frames, a tile at a time.

    They are of the clip, its latents, and a block of the DiT or, where it takes more, of the prior.
    """
    frames = min(size.frames + 3, window.frames)
    height, width = (min(-(-side // TILE_GRID) * TILE_GRID, DEFAULT_TILE.side) for side in (size.height, size.width))
    latent = -(-frames // config.codec.time) * (height // config.codec.space) * (width // config.codec.space)
    tokens = latent // (config.dit.patch[1] * config.dit.patch[2])
    block = tokens * (9 * config.dit.dim + 5 * config.dit.ffn_dim)
    if config.prior is not None:
        predictor = config.prior.predictor
        widest = max(scale.width * config.prior.time / 4**index for index, scale in enumerate(config.prior.scales, 1))
        prior = tokens * (9 * predictor.width + 2 * predictor.ffn_dim + 6 * config.prior.dim)
        block = max(block, prior, int(5 * widest * height * width))
    clip = 4 * 3 * frames * height * width
    return int(WORKSPACE * (2 * clip + 4 * 3 * latent * config.codec.channels + block * dtype.itemsize))
