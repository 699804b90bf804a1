"""Decoder distillation: a smaller decoder makes of the same latents what Wan's makes (Matrix-Game 3.0 prunes its own).

    L = mean |D_S(z) - sg(D_T(z))| + w_p DISTS(D_S(z), sg(D_T(z)))

z are clean latents and those that the restorer makes, which is as it is: only the decoder is trained, and latents stay
what they were. D_S begins with the first channels of each of D_T's layers. That a decoder can be made smaller apart is
read in the paper's abstract; the loss, where it has LPIPS in our notes, what it begins with and the mix of latents are
our own choices.

With `target: clean` the clean clip takes the place of D_T(z): the decoder of its full width tuned to what the restorer
makes, as YONOS-SR ends (abstract alone).

Lite has no decoder to train: its codec is a fixed transform.

B batch, T H W frames, t h w latent grid; z latent (B, 16, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vfe.models.wan_vae import WanVAE
from vfe.weights.save import Origin, save_vae

from ...one_step import per_clip
from ...run.stage import Draw, StepOutput, TrainableModule, full_precision
from ...wan.decoder import WanDecoder
from ...wan.restore_video import WanClipRestoration
from ..batch import DistillBatch, chosen
from ..codec import WanCodec
from ..method import Distillation
from ..restorer import LatentRestorer, WanRestorer
from ..teacher import Teacher

GROUPS = {"to_qkv": 3, "time_conv": 2}
"""Layers of a decoder whose outputs are several tensors in a row: query, key and value, or the two frames."""


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """How small the decoder is, and what it learns from."""

    dim: int | None = 48
    """Channels of its last stage, of which all others are multiples; Wan2.1 has 96. None leaves it as wide as it is."""
    target: Literal["decoder", "clean"] = "decoder"
    """What it is to show: what the whole decoder shows, or the clean clip."""
    restored: float = 0.5
    """The share of clips whose latents the restorer has made; the others are clean ones."""
    dists: float = 0.1

    def __post_init__(self) -> None:
        if self.target not in ("decoder", "clean"):
            raise ValueError(f"decoder.target is {self.target!r}, needed decoder or clean")
        if self.dim is not None and (self.dim < 2 or self.dim % 2):
            raise ValueError(f"decoder.dim={self.dim}, needed an even number from 2, or null")
        if not 0 <= self.restored <= 1 or self.dists < 0:
            raise ValueError(f"restored={self.restored}, dists={self.dists}: needed 0 to 1, and 0 or more")


class DecoderWithLoss(TrainableModule):
    """The smaller decoder; the restorer and the whole decoder are fixed."""

    def __init__(
        self, config: DecoderConfig, student: WanRestorer, decoder: WanDecoder, perceptual: nn.Module | None
    ) -> None:
        super().__init__()
        self.config, self.decoder, self.perceptual = config, decoder, perceptual
        self.student = student.requires_grad_(False)

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        config = self.config
        restored = (draw.uniform(len(batch.z_lq)) < config.restored).to(batch.paired.device) | ~batch.paired
        if config.target == "clean" and not bool(batch.paired.all()):
            batch, restored = chosen(batch, batch.paired), restored[batch.paired]
        if not len(restored):
            return StepOutput({"nothing": torch.stack([0 * p.sum() for p in self.decoder.parameters()]).sum()})
        with torch.no_grad():
            z = torch.where(per_clip(restored), self.student(batch.z_lq), batch.z_hq)
            with full_precision(z.device):
                wanted = batch.clean if config.target == "clean" else self.student.vae.decode(z).float()
        shown = self.decoder(z)
        with full_precision(z.device):
            terms = {"decoder": (shown - wanted).abs().mean()}
            if config.dists and self.perceptual is not None:
                terms["decoder_dists"] = config.dists * self.perceptual(shown, wanted)
        return StepOutput(terms)


class DecodedApart(LatentRestorer):
    """A Wan restorer whose latents the trained decoder shows; its file is the VAE."""

    def __init__(self, student: WanRestorer, decoder: WanDecoder) -> None:
        super().__init__(student.model, student.codec)
        self._parts = (student, decoder)  # in a tuple: the restorer is not of this module

    def prepare(self, device: torch.device, half: bool) -> None:
        self._parts[0].prepare(device, half)

    def restore_video(self, video: Tensor) -> Tensor:
        student, decoder = self._parts
        with full_precision(video.device):
            z_lq = student.vae.encode(video)
        shown: Tensor = decoder(WanClipRestoration(student.model, student.vae).step(z_lq))
        return shown

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        student, decoder = self._parts
        base = Path(student.config.vae)
        save_vae(path, base, decoder.official_state(), Origin(base=base.name, training=facts))


def decoder_distillation(
    config: DecoderConfig, student: LatentRestorer, teacher: Teacher, perceptual: nn.Module | None
) -> Distillation:
    """The training of the decoder alone. Raises ValueError for a lite model, and where another teacher is given."""
    if not isinstance(student, WanRestorer):
        raise ValueError(
            "the student is a lite model, whose codec is a fixed transform: give method decoder a Wan model"
        )
    if teacher.config.kind != "ground_truth":
        raise ValueError(
            f"teacher.kind is {teacher.config.kind}: method decoder needs ground_truth, as the student's own "
            "decoder or the clean clips teach"
        )
    assert isinstance(student.codec, WanCodec)
    decoder = WanDecoder(narrowed(student.vae, config.dim), student.codec.checkpointing)
    decoder.requires_grad_(True)
    trained = DecoderWithLoss(config, student, decoder, perceptual)
    return Distillation((trained,), DecodedApart(student, decoder))


def narrowed(vae: WanVAE, dim: int | None) -> WanVAE:
    """The VAE with a decoder of `dim`, whose layers are the first channels of the whole one's; None leaves it.

    Raises ValueError for a decoder that would not be smaller.
    """
    if dim is None:
        return vae
    if dim >= vae.config.up_dim:
        raise ValueError(f"decoder.dim={dim}, needed below {vae.config.up_dim}, that of the VAE; or null")
    with torch.device("meta"):
        small = WanVAE(replace(vae.config, decoder_dim=dim))
    whole = vae.state_dict()
    state = {name: first_channels(name, whole[name], tuple(part.shape)) for name, part in small.state_dict().items()}
    small.load_state_dict(state, assign=True)
    return small


def first_channels(name: str, whole: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The first channels of a weight, on each axis as many as `shape` says; of each of its groups alike."""
    groups = next((count for layer, count in GROUPS.items() if f".{layer}." in name), 1)
    each = [part[tuple(slice(size) for size in (shape[0] // groups, *shape[1:]))] for part in whole.chunk(groups)]
    return torch.cat(each).clone()
