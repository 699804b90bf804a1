"""Small pictures as JPEG files in memory, by the encoder that videos are written with."""

from __future__ import annotations

from fractions import Fraction

from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from torch import Tensor

from ..video.colour import BT601_625, FULL
from ..video.pixels import FrameFormat, FrameWriter
from ..video.resize import resize

JPEG_SCALE = 3
"""The quantiser of the JPEG encoder unless told otherwise: a page of a hundred faces has to stay small."""
PIX_FMT = "yuvj444p"


def jpeg(pixels: Tensor, longest: int | None = None, scale: int = JPEG_SCALE) -> bytes:
    """Return a JPEG file of pixels (3, H, W) in [-1, 1], made smaller where a side is longer than `longest`.

    `scale` is the quantiser of the encoder, from 1 (best) to 31.
    """
    height, width = pixels.shape[-2:]
    share = min(1.0, (longest or max(width, height)) / max(width, height))
    small = resize(pixels.float().cpu(), (max(1, round(width * share)), max(1, round(height * share))))
    picture = FrameWriter(FrameFormat(PIX_FMT, BT601_625, FULL)).write(small, None)
    picture.pts = 0
    context = CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = picture.width, picture.height, PIX_FMT
    context.time_base = Fraction(1, 25)
    context.color_range = FULL
    context.options = {"qmin": str(scale), "qmax": str(scale)}
    return b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
