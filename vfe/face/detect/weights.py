"""The face net's file: one safetensors file whose metadata says what the nets are and how they were trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...tensor_io.described import FileFormat
from ...tensor_io.load import load_model
from .net import FaceNet, FaceNetConfig, channels_last, fold_batch_norm

FACE_NET_FORMAT = FileFormat("vfe-face-1", FaceNetConfig, "a face net saved by vfe, or none for the bundled one")
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "face.safetensors"


def save_face_net(path: Path, net: FaceNet, training: dict[str, Any]) -> None:
    """Write a net with folded batch norms in float16, and how it was trained; written aside and renamed."""
    state = {name: value.to(torch.float16) for name, value in net.state_dict().items()}
    assert not any("running_" in name for name in state)  # the file holds folded nets only
    FACE_NET_FORMAT.write(path, net.config, state, training)


def read_face_metadata(path: Path) -> tuple[FaceNetConfig, dict[str, Any]]:
    """Return config and training record of a file. Raises VFEError where it is not a face net of this package."""
    source = FACE_NET_FORMAT.open(path)
    return FACE_NET_FORMAT.config_of(source), FACE_NET_FORMAT.training_of(source)


def load_face_net(path: Path, device: torch.device) -> FaceNet:
    """Return both nets in float32 and eval mode, frozen. Raises VFEError that says what does not fit."""
    source = FACE_NET_FORMAT.open(path)
    config = FACE_NET_FORMAT.config_of(source)
    return channels_last(load_model(lambda: fold_batch_norm(FaceNet(config)), source, device=device))
