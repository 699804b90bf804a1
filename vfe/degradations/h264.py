"""The H.264 round trip of the formula of VividFace and of the stored copy.

The bytes that it makes must not change: the bundled weights have learned them.
"""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import torch
from torch import Tensor

from ..video.x264 import reproducible_options
from .frames import to_rgb

FRAME_RATE = Fraction(25)


def h264_round_trip(frames: Tensor, crf: int, preset: str, careless: bool = False) -> Tensor:
    """Encode and decode (T, h, w, 3) uint8 with x264 at 25 frames/s, 4:2:0, through PyAV; sides are even."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", FRAME_RATE, 1 / FRAME_RATE
    encoder.options = {"crf": str(crf), "preset": preset, "threads": "1", **reproducible_options()}
    packets = []
    for index, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.numpy()), format="rgb24")
        picture.pts = index
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = encoder.extradata
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return torch.from_numpy(np.stack([to_rgb(frame, careless) for frame in decoded]))
