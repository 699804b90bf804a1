"""Wan2.1's encoder and decoder as lists of layers, derived for a device and number format.

K latents of a step, T frames of it, h w latent sides, C width of the middle. Each of the two has a part that sees whole
frames at latent size, because its attention does, and a part between there and the pixels. The layers of that see a few
pixels around them: it may run on tiles, and a tile with the margin that they need gives what the whole frame gives.
"""

from __future__ import annotations

from functools import cached_property

from torch import Tensor, nn

from .config import WanVAEConfig
from .conv import InputConv, OutputConv, Target, pixel_linear
from .history import History
from .layers import DoubleRate, Downsample, FrameAttention, HalveRate, Layer, Residual, Upsample
from .tiles import Area, whole
from .weights import (
    AttentionWeights,
    DecoderWeights,
    DownsampleWeights,
    EncoderWeights,
    ResidualWeights,
    UpsampleWeights,
    VAEWeights,
    norm_in,
)


class Coder:
    """Encoder and decoder, each derived when it is first used."""

    def __init__(self, weights: VAEWeights, config: WanVAEConfig, target: Target) -> None:
        self._weights, self._config, self.target = weights, config, target

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, derived when it is first used."""
        return Encoder(self._weights.encoder, self._weights.conv1, self._config, self.target)

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder, derived when it is first used."""
        return Decoder(self._weights.decoder, self._weights.conv2, self._config, self.target)


class Encoder:
    """Turns frames into the means of the posterior."""

    def __init__(self, weights: EncoderWeights, quant: nn.Module, config: WanVAEConfig, target: Target) -> None:
        self.config, self.target = config, target
        self.down_layers: list[Layer] = [InputConv(weights.conv1, target)]
        self.down_layers += [layer for part in weights.downsamples for layer in _layers(part, target)]
        self.middle = [layer for part in weights.middle for layer in _layers(part, target)]
        self.head = OutputConv(norm_in(weights.head, "0"), weights.head["2"], target)
        self.quant = pixel_linear(quant, target)

    def down(self, frames: Tensor, area: Area, history: History) -> Tensor:
        """Return the rectangle `area`, in latents, of the features (K, C, h, w) of frames (T, 3, 8h, 8w)."""
        space, frame = self.config.space, whole(frames)
        held = area.grown(*self.config.down_margins, frame.divided(space))
        x = self.target.frames(held.scaled(space).of(frames, frame))
        for layer in self.down_layers:
            x = layer(x, history)
        return area.of(x, held)

    def means(self, features: Tensor, history: History) -> Tensor:
        """Return the means (K, 16, h, w) of features (K, C, h, w)."""
        x = self.target.frames(features)
        for layer in self.middle:
            x = layer(x, history)
        return self.quant(self.head(x, history))[:, : self.config.latent_channels]


class Decoder:
    """Turns latents, in the scale in which the encoder gives them, into frames."""

    def __init__(self, weights: DecoderWeights, quant: nn.Module, config: WanVAEConfig, target: Target) -> None:
        self.config, self.target = config, target
        self.quant = pixel_linear(quant, target)
        self.conv1 = InputConv(weights.conv1, target)
        self.middle = [layer for part in weights.middle for layer in _layers(part, target)]
        parts, stage = list(weights.upsamples), config.blocks + 2
        self.stages = [
            [layer for part in parts[start : start + stage] for layer in _layers(part, target)]
            for start in range(0, len(parts), stage)
        ]
        self.head = OutputConv(norm_in(weights.head, "0"), weights.head["2"], target)

    def features(self, latents: Tensor, history: History) -> Tensor:
        """Return the features (K, C, h, w) of latents (K, 16, h, w)."""
        x = self.conv1(self.quant(self.target.frames(latents)), history)
        for layer in self.middle:
            x = layer(x, history)
        return x

    def up(self, features: Tensor, area: Area, history: History) -> Tensor:
        """Return the rectangle `area`, in latents, of the frames (T, 3, 8h, 8w) of features (K, C, h, w).

        Each stage gets only the margin that it and the stages after it need, so the margin shrinks from stage to stage.
        """
        frame = held = whole(features)
        x = features
        for layers, margin in zip(self.stages, self.config.up_margins, strict=True):
            wanted = area.grown(margin, margin, frame)
            x = self.target.frames(wanted.of(x, held))
            for layer in layers:
                x = layer(x, history)
            factor = x.shape[2] // wanted.height  # 2, or 1 after the last stage
            area, frame, held = area.scaled(factor), frame.scaled(factor), wanted.scaled(factor)
        return area.of(self.head(x, history), held)


def _layers(weights: nn.Module, target: Target) -> list[Layer]:
    """Return the layers that a part of the network runs as."""
    if isinstance(weights, ResidualWeights):
        return [Residual(weights, target)]
    if isinstance(weights, AttentionWeights):
        return [FrameAttention(weights, target)]
    if isinstance(weights, DownsampleWeights):
        return [Downsample(weights, target), *([HalveRate(weights, target)] if weights.time_conv is not None else [])]
    assert isinstance(weights, UpsampleWeights)
    return [*([DoubleRate(weights, target)] if weights.time_conv is not None else []), Upsample(weights, target)]
