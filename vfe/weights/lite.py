"""Restorer files: one safetensors file whose metadata says what the weights are and how they were made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..config import from_mapping
from ..files.aside import written_aside
from ..models.lite import LiteConfig, LiteRestorer
from ..types import VFEError

FORMAT = "vfe-restorer-1"
MAX_METADATA = 1 << 20  # 1 MiB: our own is a few KB, and a hostile header could be of any size


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file says of itself: `training` holds command, data hash, seed, steps and dev scores."""

    path: Path
    config: LiteConfig
    training: dict[str, Any]
    parameters: int
    bytes: int


def save_checkpoint(
    path: Path, model: LiteRestorer, training: dict[str, Any], dtype: torch.dtype = torch.float16
) -> None:
    """Write weights in `dtype` (the codec's scale in float32) and metadata; written aside and renamed."""
    state = {
        name: value.detach().to("cpu", torch.float32 if name.startswith("codec.") else dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    metadata = {"format": FORMAT, "config": json.dumps(asdict(model.config)), "training": json.dumps(training)}
    with written_aside(path) as aside:
        save_file(state, aside, metadata)


def is_restorer(path: Path) -> bool:
    """Whether a file says that it is a restorer of this package; False for everything that cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        return False


def read_metadata(path: Path) -> CheckpointInfo:
    """Read a file's description without its weights. Raises VFEError where it is not a restorer of this package."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            parameters = sum(_count(file.get_slice(name).get_shape()) for name in file.keys())
    except FileNotFoundError as error:
        raise VFEError(f"{path}: no such model file; give 'lite' or the path of a restorer .safetensors") from error
    except (SafetensorError, OSError) as error:
        raise VFEError(
            f"{path}: not a readable safetensors file ({error}); a restorer saved by vfe is needed"
        ) from error
    if metadata.get("format") != FORMAT:
        got = metadata.get("format", "no format entry")
        raise VFEError(f"{path}: its metadata says {got}, needed {FORMAT}; this file is not a vfe restorer")
    if sum(len(value) for value in metadata.values()) > MAX_METADATA:
        raise VFEError(f"{path}: metadata of over {MAX_METADATA} bytes; a restorer saved by vfe has a few KB")
    try:
        config = from_mapping(LiteConfig, json.loads(metadata["config"]))
        training = json.loads(metadata.get("training", "{}"))
    except (KeyError, ValueError) as error:
        raise VFEError(f"{path}: its metadata is damaged ({error}); get the file again") from error
    return CheckpointInfo(path, config, training, parameters, path.stat().st_size)


def load_restorer(
    path: Path,
    device: torch.device,
    dtype: torch.dtype,
    build: Callable[[LiteConfig], LiteRestorer] = LiteRestorer,
) -> LiteRestorer:
    """Build on meta and load strictly; the codec stays in float32. Raises VFEError naming what does not fit.

    `build` makes the network, of a host's layers for one.
    """
    info = read_metadata(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
            if max(info.config.depths) > len(found):  # it is built before its tensors are compared
                raise VFEError(f"{path}: its metadata speaks of more layers than it has tensors; get the file again")
            with torch.device("meta"):
                model = build(info.config)
            wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
            _check_shapes(path, wanted, found)
            state: dict[str, Tensor] = {name: file.get_tensor(name) for name in found}
    except SafetensorError as error:
        raise VFEError(f"{path}: damaged ({error}); get the file again") from error
    state = {
        name: value.to(device, torch.float32 if name.startswith("codec.") else dtype) for name, value in state.items()
    }
    model.load_state_dict(state, strict=True, assign=True)
    model.codec.build_transforms(device)  # the transform's matrices are computed, not stored
    return model.eval().requires_grad_(False)


def _check_shapes(path: Path, wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    missing, unexpected = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or unexpected:
        raise VFEError(
            f"{path}: {len(missing)} tensors missing {missing[:3]}, {len(unexpected)} unexpected {unexpected[:3]}; "
            "the weights do not belong to the config in their metadata"
        )
    for name, shape in wanted.items():
        if found[name] != shape:
            raise VFEError(f"{path}: {name} is {found[name]}, needed {shape}; the weights do not belong to the config")


def _count(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
