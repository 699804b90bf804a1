"""Causal convolutions of frames that are stored channels last, as convolutions of single frames.

T frames, C O channels in and out, H W sides; frames are (T, C, H, W), the memory is T H W C. So a run of frames is a
slice, and a convolution over three frames reads three slices of one run. Kernels are derived once from the official
ones, in float32, and then cast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .convolve import convolve
from .history import PAST_FRAMES, History
from .passes import Passes, Terms
from .weights import NormWeights

Pending = Callable[["Tensor | None"], Tensor]
"""A convolution whose input is ready: called with what to add to the result, or None."""


class Form(Enum):
    """How a 3x3x3 convolution is computed: alike but for rounding, and each the fastest somewhere."""

    FRAMES = auto()
    """Three 2-D convolutions, summed."""
    VOLUME = auto()
    """One 3-D convolution. On a CPU its rounding depends on the size of the frames."""
    PAIRS = auto()
    """Winograd's F(2,3) over time: two frames by four 2-D convolutions instead of six (Lavin, Gray, arXiv 1509.09308).
    An odd run of frames takes FRAMES."""


@dataclass(frozen=True)
class Target:
    """The device, dtype and form for which kernels are derived."""

    device: torch.device
    dtype: torch.dtype
    form: Form
    passes: Passes

    def frames(self, x: Tensor) -> Tensor:
        """Return frames (T, C, H, W) on the device, in the dtype and in the layout in which they are computed."""
        return x.to(self.device, self.dtype, memory_format=torch.channels_last)

    def kernel(self, weight: Tensor) -> Tensor:
        """Return a kernel of two or three axes on the device and in the dtype, channels last."""
        layout = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
        return weight.to(self.device, self.dtype).contiguous(memory_format=layout)

    def bias(self, conv: nn.Module) -> Tensor:
        """Return the bias of a convolution on the device and in the dtype."""
        assert isinstance(conv.bias, Tensor)
        return conv.bias.detach().to(self.device, self.dtype)

    def scale(self, norm: NormWeights) -> Tensor:
        """Return gamma of an RMS norm as the factor of x / |x|: (C, 1, 1), float32."""
        return norm.gamma.detach().to(self.device, torch.float32).view(-1, 1, 1) * norm.gamma.numel() ** 0.5


def weight_of(conv: nn.Module) -> Tensor:
    """Return the stored kernel of a convolution in float32."""
    assert isinstance(conv.weight, Tensor)
    return conv.weight.detach().float()


def winograd_kernels(weight: Tensor) -> list[Tensor]:
    """Return the four kernels (O, C, 3, 3) of F(2,3) over time for a kernel (O, C, 3, 3, 3)."""
    g0, g1, g2 = weight.unbind(2)
    return [g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2]


def stacked(extended: Tensor, stride: int = 1) -> Tensor:
    """Stack each frame and the two before it as channels: (2 + T, C, H, W) -> (T, 3 C, H, W)."""
    return torch.cat([extended[:-2:stride], extended[1:-1:stride], extended[2::stride]], dim=1)


def stacked_kernel(weight: Tensor) -> Tensor:
    """Return the kernel (O, 3 C, H, W) of a convolution of `stacked` frames."""
    return rearrange(weight, "o c t h w -> o (t c) h w")


class PixelLinear:
    """A convolution whose kernel is one pixel: a linear layer, since channels come last."""

    def __init__(self, weight: Tensor, conv: nn.Module, target: Target) -> None:
        """`weight` is the kernel (O, C, 1, 1, ...) of `conv`, or what was made of it."""
        self.weight = weight.flatten(1).to(target.device, target.dtype)
        self.bias = target.bias(conv)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.movedim(1, -1), self.weight, self.bias).movedim(-1, 1)


def pixel_linear(conv: nn.Module, target: Target) -> PixelLinear:
    """Return a 1x1 or 1x1x1 convolution of frames as a linear layer."""
    return PixelLinear(weight_of(conv), conv, target)


class InputConv:
    """The first 3x3x3 convolution, whose few channels are cheap to stack."""

    def __init__(self, conv: nn.Module, target: Target) -> None:
        self.key = conv
        self.weight, self.bias = target.kernel(stacked_kernel(weight_of(conv))), target.bias(conv)

    def __call__(self, x: Tensor, history: History) -> Tensor:
        return convolve(stacked(history.extended(self.key, x)), self.weight, self.bias)


class OutputConv:
    """The last norm, SiLU and 3x3x3 convolution, to few channels.

    Each frame is multiplied with all three taps at once; the products, of few channels, are summed and remembered.
    """

    def __init__(self, norm: NormWeights, conv: nn.Module, target: Target) -> None:
        self.key = conv
        self.passes = target.passes
        self.gamma = target.scale(norm)
        self.weight = target.kernel(rearrange(weight_of(conv), "o c t h w -> (t o) c h w"))
        self.bias = target.bias(conv).view(-1, 1, 1)

    def __call__(self, x: Tensor, history: History) -> Tensor:
        products = convolve(self.passes.extended(None, x, self.gamma), self.weight)
        before_last, last, own = history.extended(self.key, products).chunk(3, dim=1)
        return before_last[:-2] + last[1:-1] + own[2:] + self.bias


class NormedConv:
    """A 3x3x3 convolution of SiLU(norm(x)), causal in time."""

    def __init__(self, norm: NormWeights, conv: nn.Module, target: Target) -> None:
        self.key = conv
        self.passes = target.passes
        self.gamma, self.bias = target.scale(norm), target.bias(conv)
        weight = weight_of(conv)
        self.volume = target.kernel(weight) if target.form is Form.VOLUME else None
        self.taps = [] if self.volume is not None else [target.kernel(tap) for tap in weight.unbind(2)]
        self.last_tap = self.taps[PAST_FRAMES] if self.taps else target.kernel(weight[:, :, PAST_FRAMES])
        self.pairs = self._winograd(weight, target) if target.form is Form.PAIRS else None

    def over(self, x: Tensor, history: History) -> Pending:
        """Compute norm and SiLU, and return the convolution to be called later, so that x can be freed before it."""
        past = history.past(self.key, x.dtype)
        if past is not None and self.pairs is not None and len(x) % 2 == 0:
            terms, last = self.passes.terms(past, x, self.gamma)
            history.keep(self.key, last)
            return partial(self._pairs, terms)
        extended = self.passes.extended(past, x, self.gamma)
        history.keep(self.key, extended)
        if past is None:
            assert len(extended) == 1  # the first step of a stream is one frame, before which there is nothing
            return partial(self._alone, extended)
        return partial(self._frames if self.volume is None else self._volume, extended)

    def _winograd(self, weight: Tensor, target: Target) -> list[Tensor]:
        """Return the kernels of F(2,3), of which the first and the last are those of the outer taps."""
        _, plus, minus, _ = winograd_kernels(weight)
        return [self.taps[0], target.kernel(plus), target.kernel(minus), self.taps[2]]

    def _alone(self, frame: Tensor, residual: Tensor | None) -> Tensor:
        y = convolve(frame, self.last_tap, self.bias)
        return y if residual is None else y.add_(residual)

    def _frames(self, extended: Tensor, residual: Tensor | None) -> Tensor:
        y = convolve(extended[2:], self.taps[2], self.bias)
        y += convolve(extended[1:-1], self.taps[1])
        y += convolve(extended[:-2], self.taps[0])
        return y if residual is None else y.add_(residual)

    def _volume(self, extended: Tensor, residual: Tensor | None) -> Tensor:
        clip = rearrange(extended, "t c h w -> 1 c t h w")
        assert self.volume is not None
        y = rearrange(F.conv3d(clip, self.volume, self.bias, padding=(0, 1, 1)), "1 c t h w -> t c h w")
        return y if residual is None else y.add_(residual)

    def _pairs(self, terms: Terms, residual: Tensor | None) -> Tensor:
        assert self.pairs is not None
        biases = (None, self.bias, None, None)  # the second product is in both frames, with a plus
        products = [convolve(terms.pop(0), kernel, bias) for kernel, bias in zip(self.pairs, biases, strict=True)]
        return self.passes.merge(products, residual)
