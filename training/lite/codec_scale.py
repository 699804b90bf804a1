"""The codec's scale, over a fixed sample of the training set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from vfe.models.lapped_codec import LappedCodec
from vfe.types import whole_frames

from ..data.clips import DataConfig, camera_motion, list_items, read_frames, read_masks
from .coefficients import coefficient_scale

SAMPLE_CLIPS = 32
SAMPLE_SIDE = 256


def measure_scale(codec: LappedCodec, config: DataConfig) -> Tensor:
    """The scale (C,) that gives each coefficient of the codec unit variance over a fixed sample of the training set."""
    return coefficient_scale(codec, _sample(codec, config))


def _sample(codec: LappedCodec, config: DataConfig) -> Iterator[Tensor]:
    """Clips (1, 3, time n + 1, H, W) in [-1, 1] of the training set, always the same, with sides of whole blocks."""
    items = list_items(config)
    rng = np.random.default_rng(0)
    time, space, frames = codec.config.time, codec.config.space, 4 * codec.config.time + 1
    for index in rng.permutation(len(items))[:SAMPLE_CLIPS]:
        item = items[index]
        clip = read_frames(item.path)
        if item.is_image:
            clip, _ = camera_motion(clip[0].permute(2, 0, 1), read_masks(None, 1, *clip.shape[1:3])[0], frames, rng)
        height, width = (min(size, SAMPLE_SIDE) // space * space for size in clip.shape[1:3])
        clip = clip[: whole_frames(min(len(clip), frames), time), :height, :width]
        yield clip.permute(3, 0, 1, 2)[None].float() / 127.5 - 1
