"""The sizes of the face restorer, and one as training begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.dit.pyramid import PyramidScale
from vfe.models.lapped_codec import CodecConfig
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import EncoderScale, PredictorConfig, PriorConfig
from vfe.models.prior.fusion import FusionConfig

from ..lite.coefficients import coefficient_scale, damage_spread
from ..losses.adversarial import DiscriminatorConfig
from .clips import PairConfig, PairMaker
from .frame_part import FramePart
from .motion import ClipConfig
from .packed import PackedAlbum

SCALE_SEED = 3
PriorPart = Literal["spatial", "temporal", "both"]
"""What of the prior is fused into the restorer: `both` is DVFace, the others are its ablation."""


def restorer_config(side: int, *, tiny: bool = False) -> LiteConfig:
    """Tokens of 16 pixels by 4 frames; within a latent frame all look at all, and each place knows where it is."""
    codec = CodecConfig(time=4, space=4)
    widths, dim, layers, heads = ((8, 16), 24, 2, 2) if tiny else ((64, 128), 256, 6, 4)
    pyramid = (PyramidScale(width=widths[0]), PyramidScale(width=widths[1], space=2))
    tokens = side // (codec.space * 4)
    dit = DiTConfig(
        in_channels=codec.channels,
        dim=dim,
        heads=heads,
        layers=layers,
        ffn_dim=3 * dim,
        freq_dim=64,
        text_dim=64,
        patch=(1, 2, 2),
        window=(1, 0, 0),
        local_kernel=3,
        pyramid=pyramid,
        places=(tokens, tokens),
        sees_original=True,
    )
    return LiteConfig(dit=dit, codec=codec, context_rows=1)


def prior_config(side: int, *, tiny: bool = False) -> PriorConfig:
    """Return a prior on the grid of the restorer's tokens, with a thousand entries.

    CodeFormer (Zhou et al. 2022) has as many for faces, with tokens that are as large a part of them. Predictors look
    at all of a latent frame: at all of a clip they would take twice the time, and the temporal latents know it already.
    """
    widths, dim, entries, layers = ((8, 8, 16), 16, 32, 1) if tiny else ((64, 128, 192), 128, 1024, 3)
    tokens = side // 16
    return PriorConfig(
        dim=dim,
        entries=entries,
        heads=2,
        scales=(
            EncoderScale(width=widths[0], time=4, space=4, blocks=1),
            EncoderScale(width=widths[1], blocks=1),
            EncoderScale(width=widths[2], blocks=1),
        ),
        predictor=PredictorConfig(
            width=widths[2],
            heads=2 if tiny else 4,
            layers=layers,
            ffn_dim=3 * widths[2],
            window=(1, 0, 0),
            places=(tokens, tokens),
        ),
    )


def fusion_config(restorer: LiteConfig, prior: PriorConfig, used: PriorPart = "both") -> FusionConfig:
    """The fusion of DVFace, with attention over whole latent frames, or what its ablation leaves of it."""
    dim = restorer.dit.dim
    whole = FusionConfig(
        dim=dim, layers=restorer.dit.layers, prior_dim=prior.dim, width=prior.dim, heads=prior.heads, hidden=dim
    )
    if used == "spatial":
        return replace(whole, spatial="own", temporal="none")
    return replace(whole, spatial="none") if used == "temporal" else whole


def discriminator_config(side: int, *, tiny: bool = False) -> DiscriminatorConfig:
    """A discriminator of patches an eighth of the face wide, which knows where in the face each lies. It sees frames
    alone, which are cheap; the restorer's temporal loss looks at the changes between them."""
    stages = 4
    places = side // 2**stages - 1
    return DiscriminatorConfig(width=4 if tiny else 32, stages=stages, temporal=False, places=(places, places))


def new_restorer(config: LiteConfig, album: PackedAlbum, frame_part: FramePart | None = None) -> LiteModel:
    """Random weights; the codec's scale and the size of velocities as measured on damaged clips.

    On damaged ones, as clean clips hold so little of the finest coefficients that noise would drown all the others.
    """
    net = LiteModel(config).to(album.pictures.device)
    maker = PairMaker(album, PairConfig(clips=ClipConfig(frames=config.codec.time + 1)), SCALE_SEED, frame_part)
    pairs = [maker(number, 4) for number in range(8)]
    net.codec.scale.copy_(coefficient_scale(net.codec, (pair.degraded for pair in pairs)))
    assert isinstance(net.dit, WanDiT) and net.dit.pyramid is not None
    spread = damage_spread(net.codec, ((pair.degraded, pair.clean) for pair in pairs))
    net.dit.pyramid.gain.data.copy_(spread[:, None, None])
    return net


def parameters(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
