"""Between FFmpeg's frames and float tensors, with the matrix and range of the stream in both directions."""

# H W frame, h w chroma plane, N = H*W pixels

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from torch import Tensor
from torch.nn import functional

from .colour import FULL, LIMITED, PixelLayout, layout_of, matrix_weights, swscale_matrix

# Full chroma interpolation and accurate rounding: without them 4:2:0 comes out 0.7 code values too dark on average.
# SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND: numbers, as PyAV names them only since 18.
SWSCALE_FLAGS = 0x4 | 0x2000 | 0x4000 | 0x40000
_PLANE_OF_CHANNEL = (2, 0, 1)  # planar RGB is stored G, B, R


class FrameReader:
    """Turns decoded frames of one stream into tensors. Keeps the swscale context, so use one per stream."""

    def __init__(self, matrix: int, color_range: int) -> None:
        self.matrix = matrix
        self.color_range = color_range
        self._scaler = VideoReformatter()

    def read(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None]:
        """Pixels (3, H, W) float32 in [-1, 1] and alpha (1, H, W) in [0, 1], or None where the format has none.

        `size` (width, height) scales a frame that differs from it.
        """
        layout = layout_of(frame.format.name)
        alpha = layout.alpha or frame.format.has_palette
        deep = layout.depth > 8
        if _is_native_planar_rgb(layout) and size in (None, (frame.width, frame.height)):
            planar, white = frame, 2**layout.depth - 1
        else:
            planar, white = self._to_planar_rgb(frame, layout, size), _white_of_swscale(layout, self.color_range)
        pixels = _planes_to_rgb(planar, deep).mul_(2 / white).sub_(1)
        if layout.family == "gray" and self.color_range == LIMITED:
            pixels = _expand_limited(pixels)
        if deep:
            pixels.clamp_(-1, 1)
        if not alpha:
            return pixels, None
        opaque = 255 if not deep else 2**layout.depth - 1 if planar is frame else 65535
        plane = _plane_view(planar, 3, deep)
        return pixels, torch.empty(1, *plane.shape).copy_(plane).div_(opaque).clamp_(0, 1)

    def _to_planar_rgb(self, frame: VideoFrame, layout: PixelLayout, size: tuple[int, int] | None) -> VideoFrame:
        frame.color_range = self.color_range
        if layout.family == "yuv":
            frame.colorspace = swscale_matrix(self.matrix)
        alpha = layout.alpha or frame.format.has_palette
        width, height = size or (frame.width, frame.height)
        return self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=("gbrap" if alpha else "gbrp") + ("16le" if layout.depth > 8 else ""),
            interpolation=SWSCALE_FLAGS,
            dst_color_range=FULL,
            threads=1,  # at these sizes handing out slices costs more than it saves
        )


@dataclass(frozen=True)
class FrameFormat:
    """How frames are stored on their way to an encoder."""

    pix_fmt: str
    matrix: int
    color_range: int


class FrameWriter:
    """Turns tensors into frames of one format. The matrix is applied in float32, so nothing is rounded twice."""

    def __init__(self, target: FrameFormat) -> None:
        self.target = target
        self.layout = layout_of(target.pix_fmt)
        # What our own loops fill; swscale then repacks it without loss where the encoder wants it packed.
        self._filled = _planar_equivalent(self.layout)
        self._scaler = VideoReformatter()

    def write(self, pixels: Tensor, alpha: Tensor | None) -> VideoFrame:
        """Store (3, H, W) in [-1, 1] and alpha (1, H, W) in [0, 1] (None: opaque)."""
        height, width = pixels.shape[-2:]
        pixels = pixels.detach().to("cpu", torch.float32)
        filled = layout_of(self._filled)
        frame = VideoFrame(width, height, self._filled)
        planes = self._planes(pixels, filled)
        if filled.alpha:
            opaque = 2**filled.depth - 1
            planes.append(torch.full((height, width), float(opaque)) if alpha is None else alpha[0] * opaque)
        top = float(2**filled.depth - 1)
        for index, plane in enumerate(planes):
            _plane_view(frame, index, filled.depth > 8).copy_(plane.round().clamp_(0, top))
        if self._filled != self.target.pix_fmt:
            frame = self._scaler.reformat(frame, format=self.target.pix_fmt, interpolation=SWSCALE_FLAGS, threads=1)
        frame.color_range, frame.colorspace = self.target.color_range, self.target.matrix
        return frame

    def _planes(self, pixels: Tensor, filled: PixelLayout) -> list[Tensor]:
        if filled.family == "rgb":
            scaled = (pixels + 1) * ((2**filled.depth - 1) / 2)
            return [scaled[1], scaled[2], scaled[0]]
        weights, offset = _rgb_to_yuv(self.target.matrix, self.target.color_range, filled.depth)
        count = 1 if filled.family == "gray" else 3
        flat = torch.addmm(offset[:count], weights[:count], pixels.reshape(3, -1))  # (3, N)
        yuv = flat.view(count, *pixels.shape[-2:])
        return [yuv[0], *(_subsample(plane, filled.chroma) for plane in yuv[1:])]


@lru_cache(maxsize=16)
def _rgb_to_yuv(matrix: int, color_range: int, depth: int) -> tuple[Tensor, Tensor]:
    """Matrix (3, 3) and offset (3, 1) from RGB in [-1, 1] to code values."""
    red, blue = matrix_weights(matrix)
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack([luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)])
    unit = 2.0 ** (depth - 8)
    top = 2.0**depth - 1
    spans = (219 * unit, 224 * unit, 224 * unit) if color_range == LIMITED else (top, top, top)
    black = 16 * unit if color_range == LIMITED else 0.0
    weights = rows * np.array(spans)[:, None] / 2
    offset = np.array([[black + spans[0] / 2], [128 * unit], [128 * unit]])
    return torch.from_numpy(weights).float(), torch.from_numpy(offset).float()


def _subsample(plane: Tensor, chroma: tuple[int, int]) -> Tensor:
    """Chroma (H, W) -> (h, w) by averages, centred like swscale's interpolation on reading; odd edges stand alone."""
    if chroma == (0, 0):
        return plane
    kernel = (2 ** chroma[1], 2 ** chroma[0])
    return functional.avg_pool2d(plane[None], kernel, ceil_mode=True, count_include_pad=False)[0]


def _plane_view(frame: VideoFrame, index: int, deep: bool) -> Tensor:
    """One plane of a frame as a tensor (H, W) that shares its memory."""
    plane = frame.planes[index]
    dtype = np.dtype("<u2" if deep else "u1")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return torch.from_numpy(rows[: plane.height, : plane.width])


def _planes_to_rgb(frame: VideoFrame, deep: bool) -> Tensor:
    pixels = torch.empty(3, frame.height, frame.width)
    for channel, index in enumerate(_PLANE_OF_CHANNEL):
        pixels[channel].copy_(_plane_view(frame, index, deep))
    return pixels


def _is_native_planar_rgb(layout: PixelLayout) -> bool:
    name = layout.name
    return name.startswith("gbr") and not name.endswith("be") and layout.depth <= 16 and "f" not in name


def _white_of_swscale(layout: PixelLayout, color_range: int) -> int:
    """The code value that swscale gives to white: it widens YUV by shifting, so white in 16 bits is not 65535."""
    if layout.depth <= 8:
        return 255
    if layout.family == "rgb" or layout.depth > 16:
        return 65535
    if layout.family == "yuv" and color_range == LIMITED:
        return 255 << 8
    return ((1 << layout.depth) - 1) << (16 - layout.depth)


def _expand_limited(pixels: Tensor) -> Tensor:
    """Grey whose plane swscale copies as it is, from limited range to [-1, 1]."""
    return (((pixels + 1) * (255 / 2) - 16) * (2 / 219) - 1).clamp_(-1, 1)


def _planar_equivalent(layout: PixelLayout) -> str:
    """The planar little-endian format with the same content."""
    if layout.family == "yuv":
        return layout.name if VideoFormat(layout.name).is_planar else f"yuv444p{_deep_suffix(layout.depth)}"
    if layout.family == "gray":
        return layout.name
    depth = layout.depth if layout.depth in {8, 9, 10, 12, 14, 16} else 16
    return ("gbrap" if layout.alpha else "gbrp") + _deep_suffix(depth)


def _deep_suffix(depth: int) -> str:
    return "" if depth == 8 else f"{depth}le"
