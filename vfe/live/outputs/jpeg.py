"""Pictures as JPEG, by FFmpeg's encoder."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ...video.pyav_compat import ONE_THREAD
from ..frame import Picture

QUALITY = 4
"""FFmpeg's scale of JPEG, from 2, the best, to 31: at 4 no blocks are to be seen."""


class JpegEncoder:
    """Encodes pictures of any size; fast where they all have the same."""

    def __init__(self) -> None:
        self._encoder: VideoCodecContext | None = None
        self._scaler = VideoReformatter()
        self._count = 0

    def encode(self, picture: Picture) -> bytes:
        """Return a picture as the content of a JPEG file."""
        height, width = picture.shape[:2]
        if self._encoder is None or (self._encoder.width, self._encoder.height) != (width, height):
            self._encoder = _encoder(width, height)
        frame = self._scaler.reformat(VideoFrame.from_ndarray(picture, format="rgb24"), format="yuvj420p", **ONE_THREAD)
        self._count += 1
        frame.pts, frame.time_base = self._count, Fraction(1, 1000)
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


def _encoder(width: int, height: int) -> VideoCodecContext:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1000)
    encoder.thread_count = 1  # frames are not held back for other threads
    encoder.options = {"qmin": str(QUALITY), "qmax": str(QUALITY), "flags": "+qscale"}
    return encoder
