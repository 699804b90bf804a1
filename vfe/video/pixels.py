"""From FFmpeg's frames to float tensors and back, with the matrix and range of the stream.

The loops are numpy's, which stay on one thread: torch would wake all of its threads thirty times a frame, against the
encoder's, which is slower and very slow on a busy machine.
"""

# H W frame, h w chroma plane

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from torch import Tensor

from .colour import FULL, LIMITED, PixelLayout, layout_of, matrix_weights, swscale_matrix
from .planes import plane_view
from .pyav_compat import ONE_THREAD, source_colours
from .stored import Stored

Plane = npt.NDArray[np.float32]

# Full chroma interpolation and accurate rounding: without them 4:2:0 comes out 0.7 code values too dark on average.
# SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND: numbers, as PyAV names them only since 18.
SWSCALE_FLAGS = 0x4 | 0x2000 | 0x4000 | 0x40000
_PLANE_OF_CHANNEL = (2, 0, 1)  # planar RGB is stored G, B, R


class FrameReader:
    """Turns decoded frames of one stream into tensors. It keeps the context of swscale, so use one per stream."""

    def __init__(self, matrix: int, color_range: int) -> None:
        self.matrix = matrix
        self.color_range = color_range
        self._scaler = VideoReformatter()

    def read(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor | None]:
        """Return pixels (3, H, W) float32 in [-1, 1], and alpha (1, H, W) in [0, 1] or None where the format has none.

        `size` (width, height) scales a frame that differs from it.
        """
        layout = layout_of(frame.format.name)
        deep = layout.depth > 8
        if _is_native_planar_rgb(layout) and size in (None, (frame.width, frame.height)):
            planar, white, opaque = frame, 2**layout.depth - 1, 2**layout.depth - 1
        else:
            planar, white = self._to_planar_rgb(frame, layout, size), _white_of_swscale(layout, self.color_range)
            opaque = 65535 if deep else 255
        scale, offset = 2 / white, -1.0
        if layout.family == "gray" and self.color_range == LIMITED:  # swscale copies grey as it is
            scale, offset = 2 * 255 / 219 / white, -1 - 2 * 16 / 219
        pixels = np.empty((3, planar.height, planar.width), np.float32)
        for channel, index in enumerate(_PLANE_OF_CHANNEL):
            np.multiply(plane_view(planar, index), np.float32(scale), out=pixels[channel])
        pixels += np.float32(offset)
        if deep or offset != -1:
            np.clip(pixels, -1, 1, out=pixels)
        if len(planar.planes) < 4:
            return torch.from_numpy(pixels), None
        alpha = np.minimum(plane_view(planar, 3) * np.float32(1 / opaque), np.float32(1))
        return torch.from_numpy(pixels), torch.from_numpy(alpha[None])

    def _to_planar_rgb(self, frame: VideoFrame, layout: PixelLayout, size: tuple[int, int] | None) -> VideoFrame:
        frame.color_range = self.color_range
        matrix = swscale_matrix(self.matrix) if layout.family == "yuv" else None
        if matrix is not None:
            frame.colorspace = matrix
        alpha = layout.alpha or frame.format.has_palette
        width, height = size or (frame.width, frame.height)
        return self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=("gbrap" if alpha else "gbrp") + ("16le" if layout.depth > 8 else ""),
            interpolation=SWSCALE_FLAGS,
            dst_color_range=FULL,
            **ONE_THREAD,
            **source_colours(matrix, self.color_range),
        )


@dataclass(frozen=True)
class FrameFormat:
    """How frames are stored on their way to an encoder: pixel format, and matrix and range as code points."""

    pix_fmt: str
    matrix: int
    color_range: int


class FrameWriter:
    """Turns tensors into frames of one format. The matrix is applied in float32, so that nothing is rounded twice."""

    def __init__(self, target: FrameFormat) -> None:
        self.target = target
        # What our own loops fill; swscale then repacks it without loss where the encoder wants it packed.
        self._filled = layout_of(_planar_equivalent(layout_of(target.pix_fmt)))
        self._scaler = VideoReformatter()

    def write(self, pixels: Tensor, alpha: Tensor | None, stored: Stored | None = None) -> VideoFrame:
        """Store pixels (3, H, W) in [-1, 1] and alpha (1, H, W) in [0, 1]; None is opaque.

        Where the pixels are those of `stored`, and its format is that of the target, its code values stay to the bit.
        """
        filled, target = self._filled, self.target
        height, width = pixels.shape[-2:]
        frame = VideoFrame(width, height, filled.name)
        top = 2**filled.depth - 1
        if stored is not None and stored.planes_fit(pixels, filled.name, target.matrix, target.color_range):
            planes = self._changed_planes(pixels, stored)
        else:
            planes = self._planes(pixels)
        if filled.alpha:
            planes.append(np.full((height, width), top, np.float32) if alpha is None else alpha[0].cpu().numpy() * top)
        for index, plane in enumerate(planes):
            np.rint(plane, out=plane)
            np.clip(plane, 0, top, out=plane)
            np.copyto(plane_view(frame, index), plane, casting="unsafe")
        if filled.name != target.pix_fmt:
            frame = self._scaler.reformat(frame, format=target.pix_fmt, interpolation=SWSCALE_FLAGS, **ONE_THREAD)
        frame.color_range, frame.colorspace = target.color_range, target.matrix
        return frame

    def _changed_planes(self, pixels: Tensor, stored: Stored) -> list[Plane]:
        """Return the planes (H, W) or (h, w) of the stored frame, changed by as much as its pixels were,
        without alpha.
        """
        count = 1 if self._filled.family == "gray" else 3
        planes = [plane_view(stored.frame, i).astype(np.float32) for i in range(count)]
        if pixels is not stored.pixels:
            for plane, now, before in zip(planes, self._planes(pixels), self._planes(stored.pixels), strict=True):
                plane += now - before
        return planes

    def _planes(self, pixels: Tensor) -> list[Plane]:
        """Return the code values of each plane but alpha, (H, W) or (h, w) and not yet rounded."""
        rgb: Plane = pixels.detach().to("cpu", torch.float32).numpy()
        depth = self._filled.depth
        if self._filled.family == "rgb":
            half = np.float32((2**depth - 1) / 2)
            return [(rgb[channel] + np.float32(1)) * half for channel in (1, 2, 0)]
        limited = self.target.color_range == LIMITED
        unit, top = 2 ** (depth - 8), 2**depth - 1
        luma_span, chroma_span = (219 * unit, 224 * unit) if limited else (top, top)
        red, blue = matrix_weights(self.target.matrix)
        luma = rgb[0] * np.float32(red)
        luma += rgb[1] * np.float32(1 - red - blue)
        luma += rgb[2] * np.float32(blue)  # (H, W) in [-1, 1]
        planes = []
        if self._filled.family != "gray":
            for channel, weight in ((2, blue), (0, red)):
                chroma = _subsample(rgb[channel] - luma, self._filled.chroma)
                chroma *= np.float32(chroma_span / 4 / (1 - weight))
                chroma += np.float32(128 * unit)
                planes.append(chroma)
        luma *= np.float32(luma_span / 2)
        luma += np.float32(luma_span / 2 + (16 * unit if limited else 0))
        return [luma, *planes]


def _subsample(plane: Plane, chroma: tuple[int, int]) -> Plane:
    """Return a chroma plane (H, W) subsampled to (h, w) by averages, centred like swscale's interpolation on reading.

    Odd edges stand alone.
    """
    for _ in range(chroma[1]):
        plane = np.pad(plane, ((0, 1), (0, 0)), mode="edge") if len(plane) % 2 else plane
        plane = (plane[0::2] + plane[1::2]) * np.float32(0.5)
    for _ in range(chroma[0]):
        plane = np.pad(plane, ((0, 0), (0, 1)), mode="edge") if plane.shape[1] % 2 else plane
        plane = (plane[:, 0::2] + plane[:, 1::2]) * np.float32(0.5)
    return plane


def _is_native_planar_rgb(layout: PixelLayout) -> bool:
    name = layout.name
    return name.startswith("gbr") and not name.endswith("be") and layout.depth <= 16 and "f" not in name


def _white_of_swscale(layout: PixelLayout, color_range: int) -> int:
    """Return the code value that swscale gives to white.

    It widens YUV by shifting, so that white in 16 bits is not 65535.
    """
    if layout.depth <= 8:
        return 255
    if layout.family == "rgb" or layout.depth > 16:
        return 65535
    if layout.family == "yuv" and color_range == LIMITED:
        return 255 << 8
    return ((1 << layout.depth) - 1) << (16 - layout.depth)


def _planar_equivalent(layout: PixelLayout) -> str:
    """Return the planar little-endian format with the same content."""
    if layout.family == "yuv":
        return layout.name if VideoFormat(layout.name).is_planar else f"yuv444p{_deep_suffix(layout.depth)}"
    if layout.family == "gray":
        return layout.name
    depth = layout.depth if layout.depth in {8, 9, 10, 12, 14, 16} else 16
    return ("gbrap" if layout.alpha else "gbrp") + _deep_suffix(depth)


def _deep_suffix(depth: int) -> str:
    return "" if depth == 8 else f"{depth}le"
