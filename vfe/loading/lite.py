"""The lite model's parts as pipelines: the one for whole frames, and the one for aligned faces."""

from __future__ import annotations

from pathlib import Path

import torch

from ..face.paste.align import ALIGNED_SIDE
from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..types import VFEError
from ..weights.lite import load_lite_model, read_lite_info


def load_lite_pipeline(path: Path, device: torch.device, dtype: torch.dtype, window: WindowConfig) -> OneStepPipeline:
    """Return the pipeline of a lite model for whole frames: timestep and prompt folded into its weights, in `dtype`.

    Raises VFEError as `load_lite_model` does, and for a model of aligned faces.
    """
    if read_lite_info(path).config.dit.places is not None:
        raise VFEError(
            f"{path}: restores aligned faces of {ALIGNED_SIDE} pixels, not whole frames",
            command="name it with --face-model",
        )
    return OneStepPipeline(load_lite_model(path, device, torch.float32).fold(dtype), window)


def load_face_pipeline(path: Path, device: torch.device, dtype: torch.dtype) -> OneStepPipeline:
    """Return the pipeline of a lite model for aligned faces, folded as for whole frames.

    Raises VFEError as `load_lite_model` does, and for a model of whole frames.
    """
    config = read_lite_info(path).config
    places, token = config.dit.places, config.codec.space * config.dit.token
    if places is None or any(count * token != ALIGNED_SIDE for count in places):
        raise VFEError(
            f"{path}: not a restorer of aligned faces of {ALIGNED_SIDE} pixels", command="name it with --model"
        )
    return OneStepPipeline(load_lite_model(path, device, torch.float32).fold(dtype), tile=None)
