"""The lite model's parts as pipelines: the one for whole frames, and the one for aligned faces."""

from __future__ import annotations

from pathlib import Path

import torch

from ..face.paste.align import ALIGNED_SIDE
from ..models.dit.folded import FoldedDiT
from ..models.dit.int8 import has_fast_int8, quantise
from ..models.lite import LiteModel
from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..types import VFEError
from ..weights.lite import LITE_FORMAT, load_lite_model, read_lite_info
from .head_steps import choose_roll
from .request import LoadRequest


def load_lite_pipeline(request: LoadRequest, window: WindowConfig) -> OneStepPipeline:
    """Return the pipeline of a lite model for whole frames: timestep and prompt folded into its weights.

    Raises VFEError as `load_lite_model` does, for a model of aligned faces, and for steps that it was not trained for.
    """
    path = request.path
    if read_lite_info(path).config.dit.places is not None:
        raise VFEError(
            f"{path}: restores aligned faces of {ALIGNED_SIDE} pixels, not whole frames",
            command="name it with --face-model",
        )
    model = _folded(path, request)
    source, steps = LITE_FORMAT.open(path), request.options.steps
    model.dit.roll = choose_roll(path, [source], steps, model.config.dit, model.flow)
    return OneStepPipeline(model, window)


def load_face_pipeline(path: Path, request: LoadRequest) -> OneStepPipeline:
    """Return the pipeline of a lite model for aligned faces, to go with the model that is asked for.

    Raises VFEError as `load_lite_model` does, and for a model of whole frames.
    """
    config = read_lite_info(path).config
    places, token = config.dit.places, config.codec.space * config.dit.token
    if places is None or any(count * token != ALIGNED_SIDE for count in places):
        raise VFEError(
            f"{path}: not a restorer of aligned faces of {ALIGNED_SIDE} pixels", command="name it with --model"
        )
    return OneStepPipeline(_folded(path, request), tile=None)


def _folded(path: Path, request: LoadRequest) -> LiteModel:
    """Return the model of a file as it runs fastest: folded, in the first dtype, or in int8 where that may be."""
    dtype = request.dtypes[0]
    model = load_lite_model(path, request.device, torch.float32).fold(dtype)
    if request.quantises and dtype == torch.float32 and request.device.type == "cpu" and has_fast_int8():
        assert isinstance(model.dit, FoldedDiT)
        quantise(model.dit)
    return model
