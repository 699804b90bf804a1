"""The face net's file: one safetensors file whose metadata says what the nets are and how they were trained."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ...config import from_mapping
from ...files.aside import written_aside
from ...types import VFEError
from .net import FaceNet, FaceNetConfig, channels_last, fold_batch_norm

FORMAT = "vfe-face-1"
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "face.safetensors"
MAX_METADATA = 1 << 20
_MEND = "give the path of a face net saved by vfe, or none for the bundled one"


def save_face_net(path: Path, net: FaceNet, training: dict[str, Any]) -> None:
    """Write a net with folded batch norms in float16, and how it was trained; written aside and renamed."""
    state = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in net.state_dict().items()}
    assert not any("running_" in name for name in state)  # the file holds folded nets only
    metadata = {"format": FORMAT, "config": json.dumps(asdict(net.config)), "training": json.dumps(training)}
    with written_aside(path) as aside:
        save_file(state, aside, metadata)


def read_face_metadata(path: Path) -> tuple[FaceNetConfig, dict[str, Any]]:
    """Config and training record of a file. Raises VFEError where it is not a face net of this package."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise VFEError(f"{path}: no such file; {_MEND}") from error
    except (SafetensorError, OSError) as error:
        raise VFEError(f"{path}: not a readable safetensors file ({error}); {_MEND}") from error
    if metadata.get("format") != FORMAT:
        raise VFEError(f"{path}: its metadata says {metadata.get('format')}, needed {FORMAT}; {_MEND}")
    if sum(len(value) for value in metadata.values()) > MAX_METADATA:
        raise VFEError(f"{path}: metadata of over {MAX_METADATA} bytes; {_MEND}")
    try:
        return from_mapping(FaceNetConfig, json.loads(metadata["config"])), json.loads(metadata["training"])
    except (KeyError, ValueError) as error:
        raise VFEError(f"{path}: its metadata is damaged ({error}); get the file again") from error


def load_face_net(path: Path, device: torch.device) -> FaceNet:
    """Both nets in float32 and eval mode. Raises VFEError naming what does not fit."""
    config, _ = read_face_metadata(path)
    with torch.device("meta"):
        net = fold_batch_norm(FaceNet(config))
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
            odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
            if odd:
                got, needed = found.get(odd[0], "missing"), wanted.get(odd[0], "no such tensor")
                raise VFEError(f"{path}: {len(odd)} tensors do not fit, {odd[0]} is {got}, needed {needed}; {_MEND}")
            state = {name: file.get_tensor(name).to(device, torch.float32) for name in found}
    except SafetensorError as error:
        raise VFEError(f"{path}: damaged ({error}); get the file again") from error
    net.load_state_dict(state, strict=True, assign=True)
    return channels_last(net.eval().requires_grad_(False))
