"""The two nets of the bundled face finder: one that looks at whole frames, one that looks closely at a crop.

B batch, H W frame sides (multiples of 64), N cells of all levels, S crop side; pixels in [-1, 1].
A level is a grid of cells of 8, 16, 32 or 64 pixels; each cell says whether a face of its size is centred there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

STRIDES = (8, 16, 32, 64)
LANDMARK_COUNT = 5
MAX_CHANNELS = 1024
"""The most channels that a layer may have: a damaged file must not ask for any amount of memory."""
BOX_UNIT = 2.0
"""The sides of a box are regressed as BOX_UNIT strides times an exponential, landmarks in the same unit."""


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """The channels at strides 2 and 4, those and the residual blocks of each level, and the channels of the heads.

    Raises ValueError for numbers that no net of this kind has.
    """

    stem: tuple[int, int] = (16, 32)
    widths: tuple[int, int, int, int] = (48, 64, 80, 80)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    head: int = 48

    def __post_init__(self) -> None:
        channels = (*self.stem, *self.widths, self.head)
        if (
            not 1 <= min(channels) <= max(channels) <= MAX_CHANNELS
            or not 0 <= min(self.blocks) <= max(self.blocks) <= 16
        ):
            raise ValueError(f"{self}: needed are widths from 1 to {MAX_CHANNELS} and at most 16 blocks a level")


@dataclass(frozen=True, kw_only=True)
class RefinerConfig:
    """The side of the crops, the channels at strides 2, 4, 8 and 16, and those of the decoder back to stride 2.

    Raises ValueError for numbers that no net of this kind has.
    """

    side: int = 96
    widths: tuple[int, int, int, int] = (24, 48, 80, 96)
    head: int = 40

    def __post_init__(self) -> None:
        if self.side % 16 or not 16 <= self.side <= 512:
            raise ValueError(f"side={self.side}, needed a multiple of 16 up to 512")
        if not 1 <= min(*self.widths, self.head) <= max(*self.widths, self.head) <= MAX_CHANNELS:
            raise ValueError(f"{self}: needed are widths from 1 to {MAX_CHANNELS}")


@dataclass(frozen=True, kw_only=True)
class FaceNetConfig:
    """Everything that a file's metadata says of the two nets."""

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    refiner: RefinerConfig = field(default_factory=RefinerConfig)

    @property
    def depths(self) -> tuple[int, ...]:
        """The residual blocks of each level of the detector."""
        return self.detector.blocks


class Cells(NamedTuple):
    """What the detector says of each cell of a frame."""

    scores: Tensor  # (B, N) logits
    boxes: Tensor  # (B, N, 4) xyxy in pixels
    landmarks: Tensor  # (B, N, 5, 2) xy in pixels


class Closeup(NamedTuple):
    """What the refiner says of each crop."""

    scores: Tensor  # (B,) logits
    landmarks: Tensor  # (B, 5, 2) xy, 0 and 1 are the crop's borders
    mask: Tensor  # (B, S, S) logits


class Conv(nn.Sequential):
    """A convolution, a batch norm and a ReLU; after `fold`, a convolution with a bias and a ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1, act: bool = True) -> None:
        conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.ReLU() if act else nn.Identity())

    def fold(self) -> None:
        """Move the batch norm into the convolution: the same function in evaluation mode."""
        conv, norm = self[0], self[1]
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert isinstance(conv, nn.Conv2d) and norm.running_mean is not None and norm.running_var is not None
        if conv.weight.is_meta:  # nothing to compute, for which torch would import its compiler all the same
            conv.bias = nn.Parameter(torch.empty(norm.bias.shape))
        else:
            scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
            conv.weight = nn.Parameter(conv.weight.detach() * scale[:, None, None, None])
            conv.bias = nn.Parameter(norm.bias.detach() - norm.running_mean * scale)
        self[1] = nn.Identity()


class Residual(nn.Module):
    """A residual block: ReLU(x + f(x)), where f is two convolutions of the same width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Conv(width, width)
        self.second = Conv(width, width, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, width, h, w) to features of the same shape."""
        return F.relu(x + self.second(self.first(x)))


def _level(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(Conv(inputs, outputs, stride=2), *(Residual(outputs) for _ in range(blocks)))


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


class Detector(nn.Module):
    """A single-stage detector without anchors: each cell gives one score, box and set of landmarks.

    All levels share one head.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        inputs = (config.stem[1], *config.widths)
        self.stem = nn.Sequential(Conv(3, config.stem[0], stride=2), Conv(*config.stem, stride=2))
        self.levels = nn.ModuleList(
            _level(i, o, n) for i, o, n in zip(inputs, config.widths, config.blocks, strict=False)
        )
        self.lateral = nn.ModuleList(Conv(width, config.head, size=1) for width in config.widths)
        self.smooth = Conv(config.head, config.head)
        self.head = Conv(config.head, config.head)
        self.out = nn.Conv2d(config.head, 1 + 4 + 2 * LANDMARK_COUNT, 3, padding=1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start from scores of 1 %, for nearly all cells hold no face."""
        if not self.out.weight.is_meta:  # as in `fold`
            nn.init.normal_(self.out.weight, std=0.01)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[:1], -4.6)

    def forward(self, frames: Tensor) -> Cells:
        """Return what the cells of frames (B, 3, H, W) say; H and W are multiples of 64."""
        x = self.stem(frames)
        maps = []
        for level, lateral in zip(self.levels, self.lateral, strict=True):
            x = level(x)
            maps.append(lateral(x))
        for fine, coarse in ((2, 3), (1, 2), (0, 1)):
            maps[fine] = maps[fine] + _enlarge(maps[coarse], maps[fine])
        raw = [rearrange(self.out(self.head(self.smooth(m))), "b c h w -> b (h w) c") for m in maps]
        centres, strides = cells_of(frames.shape[-2], frames.shape[-1], frames.device)
        return decode(torch.cat(raw, dim=1).float(), centres, strides)


def cells_of(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return centres (N, 2) xy in pixels and strides (N,) of the cells of all levels, fine to coarse and row by row."""
    centres, strides = [], []
    for stride in STRIDES:
        y = (torch.arange(height // stride, device=device) + 0.5) * stride
        x = (torch.arange(width // stride, device=device) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        centres.append(rearrange(grid, "h w xy -> (h w) xy"))
        strides.append(torch.full((len(x) * len(y),), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def decode(raw: Tensor, centres: Tensor, strides: Tensor) -> Cells:
    """Turn the output (B, N, 15) of the head into scores, and boxes and landmarks in pixels of the frame.

    `centres` (N, 2) and `strides` (N,) are those of `cells_of`.
    """
    unit = strides[:, None] * BOX_UNIT
    reach = raw[..., 1:5].clamp(max=4.0).exp() * unit  # left, top, right, bottom of the centre
    boxes = torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=-1)
    offsets = rearrange(raw[..., 5:], "b n (k xy) -> b n k xy", xy=2)
    return Cells(raw[..., 0], boxes, centres[:, None] + offsets * unit[:, None])


class Refiner(nn.Module):
    """A small U-net that looks at an upright crop around one face."""

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth, last = config.widths
        self.at_half = Conv(3, half, stride=2)
        self.at_quarter = _level(half, quarter, 1)
        self.at_eighth = _level(quarter, eighth, 2)
        self.at_last = _level(eighth, last, 1)
        self.lateral = nn.ModuleList(Conv(width, config.head, size=1) for width in (quarter, eighth, last))
        self.merge_eighth = Conv(config.head, config.head)
        self.merge_quarter = Conv(config.head, config.head)
        self.fine = Conv(config.head + half, config.head)
        self.score = nn.Linear(last, 1)
        self.heat = nn.Conv2d(config.head, LANDMARK_COUNT, 1)
        self.mask = nn.Conv2d(config.head, 1, 3, padding=1)

    def forward(self, crops: Tensor) -> Closeup:
        """Return what crops (B, 3, S, S) of the side that the config says show."""
        half = self.at_half(crops)
        quarter = self.at_quarter(half)
        eighth = self.at_eighth(quarter)
        last = self.at_last(eighth)
        to_quarter, to_eighth, to_last = self.lateral
        x = self.merge_eighth(to_eighth(eighth) + _enlarge(to_last(last), eighth))
        x = self.merge_quarter(to_quarter(quarter) + _enlarge(x, quarter))
        fine = self.fine(torch.cat([_enlarge(x, half), half], dim=1))
        mask = F.interpolate(self.mask(fine).float(), size=crops.shape[-2:], mode="bilinear", align_corners=False)
        return Closeup(self.score(last.mean((2, 3))).float()[:, 0], expectation(self.heat(fine).float()), mask[:, 0])


def expectation(heat: Tensor) -> Tensor:
    """Return the mean position under the softmax of each map (B, K, h, w): (B, K, 2) xy, 0 and 1 are the
    map's borders.
    """
    _, _, height, width = heat.shape
    share = torch.softmax(rearrange(heat, "b k h w -> b k (h w)"), dim=-1)
    share = rearrange(share, "b k (h w) -> b k h w", h=height)
    x = (torch.arange(width, device=heat.device) + 0.5) / width
    y = (torch.arange(height, device=heat.device) + 0.5) / height
    return torch.stack([(share.sum(2) * x).sum(-1), (share.sum(3) * y).sum(-1)], dim=-1)


class FaceNet(nn.Module):
    """Both nets together, so that one run trains them and one file holds them."""

    def __init__(self, config: FaceNetConfig) -> None:
        super().__init__()
        self.config = config
        self.detector = Detector(config.detector)
        self.refiner = Refiner(config.refiner)


def channels_last(model: FaceNet) -> FaceNet:
    """Put a net into the memory layout in which convolutions on the CPU are fastest, and return it."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def fold_batch_norm(model: FaceNet) -> FaceNet:
    """Fold every batch norm of `model` into its convolution, in place; the outputs in evaluation mode stay the same."""
    for module in model.modules():
        if isinstance(module, Conv):
            module.fold()
    return model
