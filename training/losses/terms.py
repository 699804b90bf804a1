"""Losses of the stages, as pure functions: VividFace eq. 6 to 8, codes and pixels of DVFace eq. 9 to 13, structure.

B batch, T H W frames, t h w latent grid, d its width, K entries of a codebook; video and latents carry channels second,
masks have one channel. Perceptual, adversarial and warp losses have modules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.luma import LUMA

Penalty = Literal["mse", "charbonnier", "log"]
"""`log`: the logarithm of each clip's mean squared error, as in HINet (Chen et al. 2021), which is mean PSNR."""
FaceMean = Literal["area", "frame"]
"""What the face's error is divided by: `frame` is VividFace's mse(M x, M y), a mean over all of the frame; `area`, our
own, a mean over the face alone, so that a small face counts as much as a large one."""
CHARBONNIER_EPSILON = 1e-3  # half a grey level of 255: below it the loss is quadratic
LOG_ERROR_FLOOR = 1e-5  # 56 dB: beyond it a clip is good enough to be left alone
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of five scales, the finest first (Wang et al. 2003)
MIN_SSIM_SIDE = 11  # of SSIM's window


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """One stage: where the error is measured and what is added to it.

    `dists` weighs DISTS of whole frames (eq. 8 switches the MSE alone) by the run's `perceptual` weight files, or what
    stands in for it where they are not given. `structure` weighs 1 - SSIM of luma, `temporal` the error of the change
    from frame to frame: neither needs a pretrained network.
    """

    space: Literal["latent", "pixel"] = "pixel"
    penalty: Penalty = "mse"
    face_probability: float = 0.5
    face_mean: FaceMean = "area"
    dists: float = 0.0
    structure: float = 0.0
    temporal: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.face_probability <= 1:
            raise ValueError(f"face_probability={self.face_probability}, needed from 0 to 1")
        check_face_mean(self.face_mean)
        if self.space not in ("latent", "pixel") or self.penalty not in ("mse", "charbonnier", "log"):
            raise ValueError(
                f"loss is {self.penalty} in {self.space} space, needed mse, charbonnier or log, latent or pixel"
            )
        if self.space == "latent" and (self.dists or self.structure or self.temporal):
            raise ValueError("dists, structure and temporal losses are defined on pixels: use them in a pixel stage")


def check_face_mean(face_mean: str) -> None:
    """Raise ValueError for a name that is no `FaceMean`."""
    if face_mean not in get_args(FaceMean):
        raise ValueError(f"face_mean is {face_mean!r}, needed {' or '.join(get_args(FaceMean))}")


def penalise(difference: Tensor, penalty: Penalty) -> Tensor:
    """The penalty of each element of a difference: its square, or Charbonnier's sqrt(d^2 + e^2)."""
    if penalty == "charbonnier":
        return (difference.square() + CHARBONNIER_EPSILON**2).sqrt()
    return difference.square()


def mean_of_clips(errors: Tensor, penalty: Penalty) -> Tensor:
    """The mean over the mean errors of clips (B,), or over their logarithms where the penalty is `log`."""
    return (errors + LOG_ERROR_FLOOR).log().mean() if penalty == "log" else errors.mean()


def switch_mask(mask: Tensor, on_face: Tensor) -> Tensor:
    """M of eq. 6: the mask (B, 1, ...) of those clips whose switch `on_face` (B,) is true, ones for the others.

    A clip without a face pixel gets ones too, our own choice: it would teach nothing.
    """
    has_face = mask.flatten(1).any(1) & on_face
    return torch.where(has_face.view(-1, *[1] * (mask.ndim - 1)), mask, torch.ones_like(mask))


def switched_loss(
    prediction: Tensor,
    target: Tensor,
    mask: Tensor,
    on_face: Tensor,
    penalty: Penalty = "mse",
    face_mean: FaceMean = "area",
) -> Tensor:
    """Eq. 6: the penalty of the face where `on_face` (B,) is true, else of the whole frame, by `switch_mask`.

    mask is (B, 1, ...), repeated over channels. `face_mean` says what a face's error is divided by.
    """
    weight = switch_mask(mask, on_face)
    error = (penalise(prediction - target, penalty) * weight).flatten(1).sum(1)
    counted = torch.ones_like(weight) if face_mean == "frame" else weight
    return mean_of_clips(error / (counted.flatten(1).sum(1) * prediction.shape[1]), penalty)


def luma(video: Tensor) -> Tensor:
    """The luma of BT.601: (B, 3, T, H, W) -> (B, 1, T, H, W)."""
    return torch.einsum("bcthw,c->bthw", video, torch.tensor(LUMA, dtype=video.dtype, device=video.device)).unsqueeze(1)


def ssim_window(size: int, device: torch.device) -> Tensor:
    """SSIM's 11-tap Gaussian of sigma 1.5 along an axis, borders left out: (size - 10, size).

    As a matrix: on a CPU the gradient of a product is ten times faster than that of a one-channel convolution.
    """
    offset = torch.arange(size, device=device)[None] - torch.arange(size - 10, device=device)[:, None] - 5
    weight = torch.exp(-0.5 * (offset / 1.5) ** 2) * (offset.abs() <= 5)
    return weight / weight.sum(1, keepdim=True)


def structure_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM of luma with the 11-tap Gaussian window (Wang et al. 2004), video in [-1, 1]."""
    a, b = luma(prediction)[:, 0] + 1, luma(target)[:, 0] + 1  # SSIM is defined on levels from 0 up
    rows, columns = (ssim_window(size, a.device) for size in a.shape[-2:])

    def blur(x: Tensor) -> Tensor:
        return rows @ x @ columns.T

    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    ssim = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return 1 - ssim.mean()


def multi_scale_structure_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Weighted mean of 1 - SSIM over up to five scales, each half of the one before: needs no pretrained network.

    With the weights of MS-SSIM (Wang et al. 2003), scaled to sum to one over the scales that fit. Their mean, not their
    product: a product has no gradient where one scale is uncorrelated, as at the start of training. Video is
    (B, 3, T, H, W) in [-1, 1]; ValueError for sides below 11.
    """
    if min(prediction.shape[-2:]) < MIN_SSIM_SIDE:
        raise ValueError(f"frames are {tuple(prediction.shape[-2:])}, the window of SSIM needs {MIN_SSIM_SIDE} pixels")
    terms, weights = [], []
    for weight in MS_SSIM_WEIGHTS:
        if min(prediction.shape[-2:]) < MIN_SSIM_SIDE:
            break
        terms.append(weight * structure_loss(prediction, target))
        weights.append(weight)
        prediction, target = (F.avg_pool3d(x, (1, 2, 2)) for x in (prediction, target))
    return torch.stack(terms).sum() / sum(weights)


def temporal_loss(prediction: Tensor, target: Tensor, penalty: Penalty) -> Tensor:
    """Penalty of the error's change from frame to frame: flicker, and nothing that moves as the clean clip does."""
    error = prediction - target
    return mean_of_clips(penalise(error.diff(dim=2), penalty).flatten(1).mean(1), penalty)


def l1_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean absolute difference (DVFace, eq. 9)."""
    return (prediction - target).abs().mean()


def feature_loss(z: Tensor, z_q: Tensor) -> Tensor:
    """Mean square of z - sg(z_q): gradient to z alone (DVFace, eq. 11: degraded latents to the codes of the clean)."""
    return (z - z_q.detach()).square().mean()


def code_loss(z: Tensor, z_q: Tensor, beta: float = 0.25) -> Tensor:
    """Code-level feature loss mse(sg(z), z_q) + beta mse(z, sg(z_q)) (DVFace, eq. 10; VQ-VAE's commitment).

    z are the encoder's latents, z_q the chosen entries themselves, before the straight-through sum: (B, d, t, h, w).
    """
    return feature_loss(z_q, z) + beta * feature_loss(z, z_q)


def code_cross_entropy(logits: Tensor, indices: Tensor) -> Tensor:
    """Cross-entropy of predicted code indices in nats: (B, K, t, h, w) logits against (B, t, h, w) indices.

    The mean over tokens, where DVFace's eq. 11 writes their sum: the same loss for clips of every size, and the scale
    at which CodeFormer uses the same weight of 0.5. Computed in float32.
    """
    return F.cross_entropy(logits.float(), indices)
