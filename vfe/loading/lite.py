"""The lite model's parts as pipelines: the one for whole frames, and the one for aligned faces."""

from __future__ import annotations

from pathlib import Path

import torch

from ..face.paste.align import ALIGNED_SIDE
from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..types import VFEError
from ..weights.lite import load_restorer, read_metadata


def load_pipeline(path: Path, device: torch.device, dtype: torch.dtype, window: WindowConfig) -> OneStepPipeline:
    """A restorer of whole frames; raises VFEError as `load_restorer` does, and for a restorer of aligned faces."""
    if read_metadata(path).config.dit.places is not None:
        raise VFEError(
            f"{path}: restores aligned faces of {ALIGNED_SIDE} pixels, not whole frames; name it with --face-model"
        )
    return OneStepPipeline(load_restorer(path, device, torch.float32).fold(dtype), window)


def load_face_pipeline(path: Path, device: torch.device, dtype: torch.dtype) -> OneStepPipeline:
    """A restorer of aligned faces; raises VFEError as `load_restorer` does, and for one of whole frames."""
    config = read_metadata(path).config
    places, token = config.dit.places, config.codec.space * config.dit.token
    if places is None or any(count * token != ALIGNED_SIDE for count in places):
        raise VFEError(f"{path}: not a restorer of aligned faces of {ALIGNED_SIDE} pixels; name it with --model")
    return OneStepPipeline(load_restorer(path, device, torch.float32).fold(dtype), tile=None)
