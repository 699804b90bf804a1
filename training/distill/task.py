"""L_task: the student's own loss by clean clips, which stays on beside that of a method.

B batch, T H W frames, t h w latent grid; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from torch import Tensor, nn

from ..data.masks import align_mask
from ..losses.terms import LossConfig, structure_loss, switched_loss, temporal_loss
from ..run.stage import Draw, full_precision
from .batch import DistillBatch, pairs_of
from .codec import Codec


class TaskLoss(nn.Module):
    """Latents or pixels by the switch of VividFace (eq. 6), and what `LossConfig` adds to pixels."""

    def __init__(self, config: LossConfig, codec: Codec, perceptual: nn.Module | None = None) -> None:
        super().__init__()
        self.config, self.perceptual = config, perceptual
        self._codec = (codec,)  # in a tuple: nothing of it is trained

    def forward(self, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        """The terms of restored latents z_hq: means over the batch, to which clips that are not paired add 0."""
        on_face = (draw.uniform(len(z_hq)) < self.config.face_probability).to(z_hq.device)
        pairs, restored, share = pairs_of(batch, z_hq)
        if share == 0:
            return {}
        terms = self._latent if self.config.space == "latent" else self._pixel
        with full_precision(z_hq.device):
            return {name: share * term for name, term in terms(pairs, restored, on_face[batch.paired]).items()}

    def _latent(self, batch: DistillBatch, z_hq: Tensor, on_face: Tensor) -> dict[str, Tensor]:
        config, codec = self.config, self._codec[0]
        mask = align_mask(batch.mask[:, 0], codec.time, codec.space)
        return {"latent": switched_loss(z_hq, batch.z_hq, mask, on_face, config.penalty, config.face_mean)}

    def _pixel(self, batch: DistillBatch, z_hq: Tensor, on_face: Tensor) -> dict[str, Tensor]:
        config, clean = self.config, batch.clean
        x_hq = self._codec[0].decode(z_hq)
        terms = {"pixel": switched_loss(x_hq, clean, batch.mask, on_face, config.penalty, config.face_mean)}
        if config.dists and self.perceptual is not None:
            terms["perceptual"] = config.dists * self.perceptual(x_hq, clean)
        if config.structure:
            terms["structure"] = config.structure * structure_loss(x_hq, clean)
        if config.temporal:
            terms["temporal"] = config.temporal * temporal_loss(x_hq, clean, config.penalty)
        return terms
