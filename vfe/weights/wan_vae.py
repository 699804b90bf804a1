"""Read Wan2.1's VAE from any file that has it; its size follows from the shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..models.wan_vae import WanVAE, WanVAEConfig
from ..models.wan_vae.keys import vae_keys_from_diffusers
from ..tensor_io.load import build_on_meta, check_fits, load_strictly, shapes_of
from ..tensor_io.open import open_tensors
from ..tensor_io.prefix import find_marks, label, names_after
from ..tensor_io.quantised import dequantised
from ..tensor_io.source import TensorSource, preview_names
from ..types import VFEError

VAE_MARK = "decoder.middle.0.residual.0.gamma"
DIFFUSERS_VAE_MARK = "decoder.mid_block.resnets.0.norm1.gamma"
VAE_MARKS = (VAE_MARK, DIFFUSERS_VAE_MARK)
MAX_LAYERS = 64  # of the encoder; Wan's has 11

# Wan2.2's VAE groups its stages; no other name tells it from Wan2.1's.
_WAN22 = re.compile(
    r"(en|de)coder\.(upsamples|downsamples)\.\d+\.(up|down)samples\.|decoder\.up_blocks\.\d+\.upsampler\."
)
_UP_BLOCK = re.compile(r"decoder\.up_blocks\.0\.resnets\.(\d+)\.conv1\.weight")
NEEDED_VAE = "needed Wan2.1_VAE.pth, wan_2.1_vae.safetensors or a diffusers AutoencoderKLWan"


def is_vae(source: TensorSource) -> bool:
    """Whether a file holds a VAE of Wan, under whatever prefix and in either naming."""
    return bool(find_marks(source, VAE_MARKS))


def open_vae(path: Path) -> tuple[WanVAEConfig, TensorSource]:
    """Return the size of a VAE and its tensors under their official names; no weight is read.

    Raises VFEError where the file holds no VAE, several, Wan2.2's, or wrong shapes.
    """
    source = to_official_names(open_tensors(path, is_vae))
    config = config_of(source)
    wanted = shapes_of(build_on_meta(lambda: WanVAE(config)))
    check_fits(path, wanted, source)
    return config, source.select({name: name for name in wanted})


def read_vae(path: Path) -> tuple[WanVAEConfig, dict[str, Tensor]]:
    """Return the size of a VAE and its official state dict in the file's dtypes; VFEError as `open_vae` raises it."""
    config, source = open_vae(path)
    return config, {name: source.get(name) for name in source.names}


def load_vae(
    path: Path,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - an immutable value
    dtype: torch.dtype = torch.float32,
    build: Callable[[WanVAEConfig], WanVAE] = WanVAE,
) -> WanVAE:
    """Return the VAE of a file, frozen and in eval mode; `build` makes it, of a host's layers for one.

    Raises VFEError as `open_vae` does.
    """
    config, source = open_vae(path)
    return load_strictly(build_on_meta(lambda: build(config)), source.get, path, device=device, dtype=dtype)


def to_official_names(source: TensorSource) -> TensorSource:
    """Select the VAE of an open file: no prefix, official names. VFEError where there is not one Wan2.1 VAE."""
    marks = find_marks(source, VAE_MARKS)
    if not marks:
        raise VFEError(f"{source.path}: no Wan VAE in it (it holds {preview_names(source.names)}); {NEEDED_VAE}")
    if len(marks) > 1:
        raise VFEError(f"{source.path}: {len(marks)} Wan VAEs in it; save the one to use in a file of its own")
    naming, names = "official names", names_after(source, marks[0].prefix)
    if any(_WAN22.match(name) for name in names):
        raise VFEError(f"{source.path}: the Wan2.2 VAE, whose latents are others; {NEEDED_VAE}")
    if marks[0].mark == DIFFUSERS_VAE_MARK:
        rows = {int(match[1]) for name in names if (match := _UP_BLOCK.fullmatch(name))}
        blocks = max(len(rows) - 1, 1)
        names, naming = {vae_keys_from_diffusers(name, blocks): full for name, full in names.items()}, "diffusers names"
    return dequantised(source.select(names, f"{naming}{label(marks[0])}, {source.layout}"))


def config_of(source: TensorSource) -> WanVAEConfig:
    """Return the size of a VAE from the shapes of its official tensors; VFEError where they fit no Wan2.1 VAE."""
    dim = _shape(source, "encoder.conv1.weight")[0]
    up_width = _shape(source, "decoder.conv1.weight")[0]
    latent_channels = _shape(source, "conv2.weight")[0]
    stages, temporal = _stages(source)
    counts = {len(widths) for widths in stages}
    if len(counts) != 1 or any(width % dim for widths in stages for width in widths):
        raise VFEError(f"{source.path}: an encoder whose stages are {stages} wide is not Wan2.1's; {NEEDED_VAE}")
    multipliers = tuple(widths[-1] // dim for widths in stages)
    if up_width % multipliers[-1]:
        raise VFEError(
            f"{source.path}: a decoder {up_width} wide, which the {multipliers[-1]} of its encoder's stages does not "
            f"divide, is not Wan2.1's; {NEEDED_VAE}"
        )
    up_dim = up_width // multipliers[-1]
    try:
        return WanVAEConfig(
            dim=dim,
            latent_channels=latent_channels,
            multipliers=multipliers,
            blocks=counts.pop(),
            temporal=temporal,
            decoder_dim=None if up_dim == dim else up_dim,
        )
    except ValueError as error:
        raise VFEError(f"{source.path}: no Wan2.1 VAE can have these shapes ({error}); {NEEDED_VAE}") from error


def _stages(source: TensorSource) -> tuple[list[list[int]], tuple[bool, ...]]:
    """Return the output widths of the residual blocks of each stage of the encoder, and where it halves the rate."""
    stages: list[list[int]] = [[]]
    temporal = []
    for index in range(MAX_LAYERS):
        layer = f"encoder.downsamples.{index}"
        if f"{layer}.resample.1.weight" in source:
            temporal.append(f"{layer}.time_conv.weight" in source)
            stages.append([])
        elif f"{layer}.residual.2.weight" in source:
            stages[-1].append(_shape(source, f"{layer}.residual.2.weight")[0])
        else:
            break
    return stages, tuple(temporal)


def _shape(source: TensorSource, name: str) -> tuple[int, ...]:
    if name not in source:
        raise VFEError(f"{source.path}: a Wan VAE without {name}; the file is incomplete, get it again")
    if len(source.shape(name)) != 5 or 0 in source.shape(name):
        raise VFEError(f"{source.path}: {name} is {source.shape(name)}, needed 5 axes of 1 or more")
    return source.shape(name)
