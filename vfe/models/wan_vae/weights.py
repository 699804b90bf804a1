"""The parameters of Wan2.1's VAE under their official names and in their official shapes.

These modules hold weights and compute nothing: what runs is derived from them (coder.py), since the fast forms of a
convolution need other kernels than the stored ones.
"""

from __future__ import annotations

import torch
from torch import nn

from ..ops import Ops
from .config import WanVAEConfig


class NormWeights(nn.Module):
    """The scale of an RMS norm over channels; stored as (C, 1, 1, 1) for clips and (C, 1, 1) for frames."""

    def __init__(self, width: int, axes: int = 3) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, *[1] * axes))


def norm_in(parts: nn.ModuleDict, name: str) -> NormWeights:
    """Return the norm of that name among the parts of a block."""
    norm = parts[name]
    assert isinstance(norm, NormWeights)
    return norm


class ResidualWeights(nn.Module):
    """A residual block: norm, SiLU, 3x3x3, norm, SiLU, 3x3x3, and a 1x1x1 beside them where the width changes."""

    def __init__(self, width_in: int, width_out: int, ops: Ops) -> None:
        super().__init__()
        self.residual = nn.ModuleDict(
            {
                "0": NormWeights(width_in),
                "2": ops.Conv3d(width_in, width_out, 3),
                "3": NormWeights(width_out),
                "6": ops.Conv3d(width_out, width_out, 3),
            }
        )
        self.shortcut = ops.Conv3d(width_in, width_out, 1) if width_in != width_out else None


class AttentionWeights(nn.Module):
    """Attention of one head over the pixels of a frame."""

    def __init__(self, width: int, ops: Ops) -> None:
        super().__init__()
        self.norm = NormWeights(width, axes=2)
        self.to_qkv = ops.Conv2d(width, 3 * width, 1)
        self.proj = ops.Conv2d(width, width, 1)


class DownsampleWeights(nn.Module):
    """A 3x3 convolution of stride 2, then a 3x1x1 one of stride 2 where the frame rate halves."""

    def __init__(self, width: int, temporal: bool, ops: Ops) -> None:
        super().__init__()
        self.resample = nn.ModuleDict({"1": ops.Conv2d(width, width, 3, stride=2)})
        self.time_conv = ops.Conv3d(width, width, (3, 1, 1), stride=(2, 1, 1)) if temporal else None


class UpsampleWeights(nn.Module):
    """A 3x1x1 convolution to two frames where the rate doubles, then nearest x2 and a 3x3 one to half the width."""

    def __init__(self, width: int, temporal: bool, ops: Ops) -> None:
        super().__init__()
        self.resample = nn.ModuleDict({"1": ops.Conv2d(width, width // 2, 3, padding=1)})
        self.time_conv = ops.Conv3d(width, 2 * width, (3, 1, 1)) if temporal else None


def _middle(width: int, ops: Ops) -> nn.ModuleList:
    around = (ResidualWeights(width, width, ops) for _ in range(2))
    return nn.ModuleList([next(around), AttentionWeights(width, ops), next(around)])


def _head(width_in: int, width_out: int, ops: Ops) -> nn.ModuleDict:
    return nn.ModuleDict({"0": NormWeights(width_in), "2": ops.Conv3d(width_in, width_out, 3)})


class EncoderWeights(nn.Module):
    """The encoder: pixels to the mean and log variance of the latents."""

    def __init__(self, config: WanVAEConfig, ops: Ops) -> None:
        super().__init__()
        self.conv1 = ops.Conv3d(3, config.dim, 3)
        layers: list[nn.Module] = []
        width_in = config.dim
        for stage, width in enumerate(config.widths):
            for block in range(config.blocks):
                layers.append(ResidualWeights(width if block else width_in, width, ops))
            if stage < len(config.temporal):
                layers.append(DownsampleWeights(width, config.temporal[stage], ops))
            width_in = width
        self.downsamples = nn.ModuleList(layers)
        self.middle = _middle(width_in, ops)
        self.head = _head(width_in, 2 * config.latent_channels, ops)


class DecoderWeights(nn.Module):
    """The decoder: latents to pixels."""

    def __init__(self, config: WanVAEConfig, ops: Ops) -> None:
        super().__init__()
        width_in = config.decoder_widths[-1]
        self.conv1 = ops.Conv3d(config.latent_channels, width_in, 3)
        self.middle = _middle(width_in, ops)
        layers: list[nn.Module] = []
        for stage, width in enumerate(reversed(config.decoder_widths)):
            for block in range(config.blocks + 1):
                layers.append(ResidualWeights(width if block else width_in, width, ops))
            if stage < len(config.temporal):
                layers.append(UpsampleWeights(width, config.temporal[-1 - stage], ops))
            width_in = width // 2
        self.upsamples = nn.ModuleList(layers)
        self.head = _head(config.decoder_widths[0], 3, ops)


class VAEWeights(nn.Module):
    """The whole VAE. `conv1` follows the encoder and `conv2` precedes the decoder; both are 1x1x1."""

    def __init__(self, config: WanVAEConfig, ops: Ops) -> None:
        super().__init__()
        latent = config.latent_channels
        self.encoder = EncoderWeights(config, ops)
        self.conv1 = ops.Conv3d(2 * latent, 2 * latent, 1)
        self.conv2 = ops.Conv3d(latent, latent, 1)
        self.decoder = DecoderWeights(config, ops)
