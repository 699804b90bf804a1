"""VividFace on Wan2.1-T2V-1.3B (section 3.2): a stage on latents, then the same continued on pixels.

B batch, T H W frames, t h w latent grid; z latent (B, 16, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from vfe.weights.wan_vae import load_vae

from ..data.clips import to_batch
from ..data.dev_set import MEASURES, evaluate, write_samples
from ..data.masks import align_mask
from ..losses.perceptual import PerceptualConfig, choose_dists
from ..losses.terms import FaceMean, check_face_mean, switch_mask, switched_loss
from ..one_step import OneStepDiT
from ..run.best import BY_PSNR, WITH_PERCEPTION
from ..run.recorded import NOT_RECORDED
from ..run.stage import Draw, Slots, StepOutput, TrainableModule, full_precision
from ..wan.decoder import WanDecoder
from ..wan.fixed_pairs import CachedPairs, FixedPairs, PairBatches
from ..wan.latent_cache import DTYPES, FixedPairsConfig, LatentFiles, LatentPair, vae_hash
from ..wan.model import WanTrainConfig, export_trained, load_trainable
from ..wan.restore_video import WanClipRestoration
from .clips import ClipRunConfig, ClipStage

LATENT, PIXEL = "vividface_latent", "vividface_pixel"


@dataclass(frozen=True, kw_only=True)
class VividFaceLoss:
    """p of the switch between face and frame (eq. 6), lambda of DISTS (eq. 8), and how the face is cut out.

    p is 0.5 by Table 4, and lambda the other of the two numbers, 0.1 and 0.5, that section 4.1 gives.
    """

    face_probability: float = 0.5
    perceptual: float = 0.1
    face_mean: FaceMean = "frame"
    """`frame` is the paper's: the mask multiplies both videos and the mean goes over all of the frame."""
    perceptual_mask: bool = True
    """Whether DISTS too sees the masked videos in steps on the face: our reading of the figure, as the text leaves it
    open. What is masked is 0, the middle grey. False shows it whole frames in every step."""

    def __post_init__(self) -> None:
        check_face_mean(self.face_mean)
        if not 0 <= self.face_probability <= 1 or self.perceptual < 0:
            raise ValueError(
                f"face_probability={self.face_probability}, perceptual={self.perceptual}: needed 0 to 1, 0 or more"
            )


@dataclass(frozen=True, kw_only=True)
class VividFaceConfig(ClipRunConfig):
    """A run of the first or the second stage of VividFace; `stage` says which."""

    model: WanTrainConfig
    fixed: FixedPairsConfig | None = None
    """Fixed pairs, whose latents can be kept: for the latent stage. None: new pairs without end."""
    loss: VividFaceLoss = field(default_factory=VividFaceLoss)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig, metadata=NOT_RECORDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.side % 16:
            raise ValueError(f"data.side={self.data.side}, needed a multiple of 16: the VAE's 8 times the DiT's patch")
        if self.compile:
            raise ValueError("compile=true is not for this stage; leave it out")
        if self.fixed is not None and self.stage != LATENT:
            raise ValueError(f"fixed pairs are for stage {LATENT}, this is {self.stage}; leave `fixed` out")


class WanBatch(NamedTuple):
    """z_lq, and what the restored clip is measured by: clean latents or pixels, with a face mask (B, 1, ...)."""

    z_lq: Tensor
    target: Tensor
    mask: Tensor


class DiTWithLatentLoss(TrainableModule):
    """The DiT with the loss of the first stage: MSE of latents over the face or the frame (eq. 7)."""

    def __init__(self, model: OneStepDiT, loss: VividFaceLoss) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: WanBatch, draw: Draw) -> StepOutput:
        on_face = (draw.uniform(len(batch.z_lq)) < self.loss.face_probability).to(batch.z_lq.device)
        z_hq = self.model(batch.z_lq)
        with full_precision(z_hq.device):
            error = switched_loss(z_hq, batch.target, batch.mask, on_face, face_mean=self.loss.face_mean)
        return StepOutput({"latent": error})


class DiTWithPixelLoss(TrainableModule):
    """The DiT with the loss of the second stage: MSE of pixels, switched likewise, + lambda DISTS (eq. 8).

    The decoder computes in the run's precision: in float32 its activations would take twice the memory.
    """

    def __init__(self, model: OneStepDiT, decoder: WanDecoder, perceptual: nn.Module, loss: VividFaceLoss) -> None:
        super().__init__()
        self.model, self.decoder, self.perceptual = model, decoder, perceptual
        self.loss = loss

    def forward(self, batch: WanBatch, draw: Draw) -> StepOutput:
        loss, target = self.loss, batch.target
        on_face = (draw.uniform(len(batch.z_lq)) < loss.face_probability).to(batch.z_lq.device)
        x_hq = self.decoder(self.model(batch.z_lq))
        with full_precision(x_hq.device):
            seen = switch_mask(batch.mask, on_face) if loss.perceptual_mask else torch.ones_like(batch.mask)
            terms = {
                "pixel": switched_loss(x_hq, target, batch.mask, on_face, face_mean=loss.face_mean),
                "perceptual": loss.perceptual * self.perceptual(seen * x_hq, seen * target),
            }
        return StepOutput(terms)


class VividFaceStage(ClipStage):
    """One DiT with its loss on face clips, scored by gains over the degraded dev clips; the VAE that encodes them is no
    part of it, and stays as it is."""

    def __init__(self, config: VividFaceConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.config = config
        self.model = load_trainable(config.model, config.checkpointing)
        self.vae = load_vae(Path(config.model.vae))
        perceptual = choose_dists(config.perceptual) if config.stage == PIXEL else None
        self.notes = (perceptual.line,) if perceptual else ()
        self._distance = perceptual.loss if perceptual else None
        names = MEASURES if perceptual is None else (*MEASURES, "perceptual_gain")
        self.choose_best(names, BY_PSNR if perceptual is None else WITH_PERCEPTION)
        self.trainables: tuple[TrainableModule, ...] = (DiTWithLatentLoss(self.model, config.loss),)
        if perceptual is not None:
            decoder = WanDecoder(self.vae, config.checkpointing)
            self.trainables = (DiTWithPixelLoss(self.model, decoder, perceptual.loss, config.loss),)
        half = device.type == "cuda" and config.precision != "no"
        self.vae.prepare(device, torch.float16 if half else torch.float32)

    def clips(self, start: int, slots: Slots) -> IterableDataset[Any]:
        config = self.config
        if config.fixed is None:
            return super().clips(start, slots)
        pairs = FixedPairs(config.data, config.degradations, config.seed, config.fixed.variants)
        if config.fixed.folder is None:
            return PairBatches(pairs, None, start, slots)
        files = LatentFiles(Path(config.fixed.folder), DTYPES[config.fixed.dtype])
        vae = f"{vae_hash(Path(config.model.vae))} computed in {self.vae.dtype}"
        cached = CachedPairs(pairs, vae, files)
        cached.fill(self._encode, slots.first / slots.total)
        return PairBatches(pairs, cached, start, slots)

    def to_batch(self, raw: tuple[Tensor, ...]) -> WanBatch:  # type: ignore[override]
        if self.config.stage == LATENT:
            kept = self.config.fixed is not None and self.config.fixed.folder is not None
            return WanBatch(*(raw if kept else self._encode(raw)))
        degraded, clean, mask = to_batch(*raw)
        return WanBatch(self.vae.encode(degraded), clean, mask.unsqueeze(1))

    def _encode(self, raw: Sequence[Tensor]) -> LatentPair:
        """uint8 pairs and masks to latents; those of fixed pairs are rounded as they are kept."""
        degraded, clean, mask = to_batch(*(part.to(self.device) for part in raw))
        dtype = DTYPES[self.config.fixed.dtype] if self.config.fixed else torch.float32
        z_lq, z_hq = (self.vae.encode(video).to(dtype).float() for video in (degraded, clean))
        return LatentPair(z_lq, z_hq, align_mask(mask, self.vae.config.time, self.vae.config.space))

    @property
    def restore(self) -> WanClipRestoration:
        """The function of degraded clips that is scored: encoder, DiT and decoder."""
        return WanClipRestoration(self.model, self.vae)

    def evaluate(self) -> dict[str, float]:
        if self.dev is None:
            return {}
        return self.scored(evaluate(self.restore, self.dev, self.device, self.config.precision, self._distance))

    def samples(self, folder: Path) -> None:
        if self.dev is not None:
            write_samples(self.restore, self.dev, folder, self.device, self.config.precision)

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        export_trained(path, self.model.dit, self.config.model, facts | self.data_facts())
