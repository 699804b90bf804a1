"""Clips through real encoders, frame by frame as in a file: where a CPU makes the pairs, instead of `apply_codec`.

B batch, T C C frames; levels of 255.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vfe.degradations.codec import ENCODERS
from vfe.degradations.codec import Codec as Encoder

from .camera import Camera
from .quantise import Codec

PRESETS = ("veryfast", "fast", "medium")
TABLE_ENCODERS = ("mpeg2video", "mpeg4", "h263p", "flv")
TABLE_QP = (12.0, 46.0)  # where an old encoder's scale begins and ends on H.264's
KEYFRAME = 25


class RealCodec:
    """Encodes and decodes clips with FFmpeg's encoders: x264 for H.264, one of the old ones for steps by a table."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, video: Tensor, codec: Codec, camera: Camera) -> Tensor:  # noqa: ARG002 - encoders find motion
        """The decoded frames of `video` (B, T, 3, C, C); the sequence of encoders follows from the seed."""
        clips = []
        for index, clip in enumerate(video):
            encoder = self._encoder(float(codec.qp[index]), bool(codec.table[index]), bool(codec.intra[index]))
            clips.append(encoder(clip, self._rng) if codec.used[index] else clip)
        return torch.stack(clips)

    def _encoder(self, qp: float, table: bool, intra: bool) -> Encoder:
        if not table:
            preset = PRESETS[self._rng.integers(len(PRESETS))]
            return Encoder("libx264", round(qp), keyframe=1 if intra else KEYFRAME, preset=preset)
        name = "mjpeg" if intra else TABLE_ENCODERS[self._rng.integers(len(TABLE_ENCODERS))]
        best, worst = ENCODERS[name].quality
        part = (qp - TABLE_QP[0]) / (TABLE_QP[1] - TABLE_QP[0])
        return Encoder(name, round(best + (worst - best) * min(max(part, 0.0), 1.0)), keyframe=KEYFRAME)
