"""The files of lite models, which describe themselves: config, training record and weights in one safetensors file.

A flow model is of the same parts as a restorer. It knows how clean latents are distributed, which a student of
distillation learns from, and restores nothing: so its files are of a format of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..models.dit.experts import add_experts
from ..models.dit.model import WanDiT
from ..models.lite import LiteConfig, LiteModel
from ..tensor_io.described import FileFormat
from ..tensor_io.load import load_model
from .experts import read_note

LITE_FORMAT = FileFormat("vfe-restorer-1", LiteConfig, "a restorer saved by vfe, or the name 'lite'")
FLOW_FORMAT = FileFormat("vfe-flow-1", LiteConfig, "a flow model of clean latents, which stage score of training makes")
CODEC_PREFIX = "codec."
"""Names that start so are of the codec, which is stored and loaded in float32."""


@dataclass(frozen=True)
class LiteFileInfo:
    """What a file says of itself: `training` holds command, data hash, seed, steps and dev scores."""

    path: Path
    config: LiteConfig
    training: dict[str, Any]
    parameters: int
    bytes: int


def save_lite_model(
    path: Path,
    model: LiteModel,
    training: dict[str, Any],
    dtype: torch.dtype = torch.float16,
    file_format: FileFormat[LiteConfig] = LITE_FORMAT,
) -> None:
    """Write weights in `dtype` (the codec's scale in float32) and metadata; written aside and renamed."""
    state = {
        name: value.to(torch.float32 if name.startswith(CODEC_PREFIX) else dtype)
        for name, value in model.state_dict().items()
    }
    file_format.write(path, model.config, state, training)


def is_lite_model(path: Path) -> bool:
    """Whether a file says that it is a lite model of this package; False for everything that cannot be read."""
    return LITE_FORMAT.is_at(path)


def read_lite_info(path: Path) -> LiteFileInfo:
    """Read a file's description without its weights. Raises VFEError where it is not a lite model of this package."""
    source = LITE_FORMAT.open(path)
    config, training = LITE_FORMAT.config_of(source), LITE_FORMAT.training_of(source)
    return LiteFileInfo(path, config, training, source.parameters, path.stat().st_size)


def load_lite_model(
    path: Path,
    device: torch.device,
    dtype: torch.dtype,
    build: Callable[[LiteConfig], LiteModel] = LiteModel,
    file_format: FileFormat[LiteConfig] = LITE_FORMAT,
) -> LiteModel:
    """The model of a file in `dtype`, its codec in float32; frozen. Raises VFEError that says what does not fit.

    `build` makes the network, of a host's layers for one.
    """
    source = file_format.open(path)
    config = file_format.config_of(source)
    experts = read_note(source, file_format.training_of(source))

    def built() -> LiteModel:
        model = build(config)
        if experts is not None:
            assert isinstance(model.dit, WanDiT)
            add_experts(model.dit, experts)
        return model

    model = load_model(built, source, device=device, dtype=dtype, exact=(CODEC_PREFIX,))
    model.codec.build_transforms(device)  # the transform's matrices are computed, not stored
    return model
