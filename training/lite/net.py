"""The lite restorer as training begins and judges it.

B batch, T H W frames; z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import DualCodebookPrior, Prior
from vfe.models.prior.fusion import FusionConfig
from vfe.tensor_io.described import FileFormat
from vfe.types import VFEError, never_cancelled
from vfe.weights.lite import LITE_FORMAT, load_lite_model

from ..run.stage import full_precision

FIRST_CONVOLUTION = "dit.pyramid.folds.0.conv.weight"


def trainable_lite(path: Path, file_format: FileFormat[LiteConfig] = LITE_FORMAT) -> LiteModel:
    """The restorer of a file, in float32 on the CPU; its prior, if it has one, stays fixed.

    Another `file_format` is that of a flow model. Raises VFEError for a file of another format, and for one of experts.
    """
    net = (
        load_lite_model(path, torch.device("cpu"), torch.float32, file_format=file_format).train().requires_grad_(True)
    )
    if net.experts is not None:
        raise VFEError(f"{path}: has experts beside its weights; give the file that their training began with")
    if net.prior is not None:
        net.prior.eval().requires_grad_(False)
    return net


def with_prior(net: LiteModel, prior: DualCodebookPrior, fusion: FusionConfig) -> LiteModel:
    """A restorer with a prior, which stays fixed, and an untrained fusion: its output is `net`'s to the last bit.

    Takes over the parts of `net`. Raises ValueError where they do not fit together, or it has a prior already.
    """
    if net.prior is not None:
        raise ValueError("the restorer to start from has a prior: go on with it without `prior`, or name one without")
    fused = LiteModel(replace(net.config, prior=prior.config, fusion=fusion))
    fused.codec, fused.dit, fused.context = net.codec, net.dit, net.context
    fused.prior = prior.eval().requires_grad_(False)
    return fused


def seeing_original(net: LiteModel) -> LiteModel:
    """A restorer that takes the original's latent too, and makes nothing of it yet: its output is `net`'s."""
    if net.sees_original:
        return net
    seeing = LiteModel(replace(net.config, dit=replace(net.config.dit, sees_original=True)))
    state = net.state_dict()
    first = state[FIRST_CONVOLUTION]
    state[FIRST_CONVOLUTION] = torch.cat([first, torch.zeros_like(first)], 1)
    seeing.load_state_dict(state)
    return seeing.to(net.device)


def restore_video(net: LiteModel, video: Tensor, original: Tensor | None = None, prior: Prior | None = None) -> Tensor:
    """Degraded video to restored video; all but the codec and the step in the autocast of the caller.

    `original` is the video as it was before another model restored it, for a model that sees that; `prior` is that of
    the clip, which is read where it is not given. The first frame is the first of a clip where there are 4n + 1 frames,
    and comes from the middle of one where there are 4n.
    """
    leads = video.shape[2] % net.codec.config.time == 1
    with full_precision(video.device):
        z = z_lq = net.codec.encode(video, leads=leads)
        if net.sees_original and original is not None:
            z = torch.cat([z_lq, net.codec.encode(original, leads=leads)], 1)
    velocity: Tensor = net(z, net.read_prior(video, never_cancelled) if prior is None else prior)
    with full_precision(video.device):
        return net.codec.decode(net.flow.restore(z_lq, velocity.float()), leads=leads)
