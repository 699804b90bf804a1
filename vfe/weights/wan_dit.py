"""Read a Wan2.1 text-to-video DiT from any file that has one; its size follows from the shapes.

D width, N heads of 128 each, F feed-forward width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..models.dit.model import DiTConfig, WanDiT
from ..models.flow import OneStepFlow
from ..models.wan_vae.latents import LATENT_MEAN
from ..options import LoraFile
from ..tensor_io.gguf_file import LAYOUT as GGUF
from ..tensor_io.load import build_on_meta, cast, check_fits, load_strictly, shapes_of
from ..tensor_io.open import open_tensors
from ..tensor_io.prefix import find_marks, label, names_after
from ..tensor_io.quantised import dequantised
from ..tensor_io.source import TensorSource, preview_names, printable
from ..types import VFEError
from .dit_names import DIFFUSERS_DIT_MARK, DIT_MARK, from_diffusers
from .gguf_axes import with_axes
from .lora import LoraPlan

DIT_MARKS = (DIT_MARK, DIFFUSERS_DIT_MARK)
HEAD_WIDTH = 128  # of every Wan DiT
MAX_LAYERS = 256  # the largest Wan has 40: a hostile file must not make us build a network for every name in it

# Layers that only other members of the family have, and what they are.
_VARIANTS = (
    ("vace_", "a Wan VACE DiT"),
    ("face_adapter.", "a Wan Animate DiT"),
    ("audio_proj.", "a HuMo audio-to-video DiT"),
    ("casual_audio_encoder.", "a Wan speech-to-video DiT"),
    ("control_adapter.", "a Wan camera-control DiT"),
    ("ref_conv.", "a Wan Fun control DiT"),
    ("img_emb.", "an image-to-video Wan DiT"),
    ("condition_embedder.image_embedder.", "an image-to-video Wan DiT"),
)
NEEDED_DIT = "needed a text-to-video one (Wan2.1-T2V)"


def is_dit(source: TensorSource) -> bool:
    """Whether a file holds a Wan DiT, under whatever prefix and in either naming."""
    return bool(find_marks(source, DIT_MARKS))


def open_dit(path: Path, needed: DiTConfig | None = None) -> tuple[DiTConfig, TensorSource]:
    """Return the size of a DiT and its tensors under their official names, fp8 undone; no weight is read.

    Raises VFEError where the file holds no DiT, several, another member of the family, wrong shapes, or a DiT of
    another size than `needed`.
    """
    source = to_official_names(open_tensors(path, is_dit))
    config = config_of(source)
    if needed is not None:
        check_size(path, config, needed)
    wanted = shapes_of(build_on_meta(lambda: WanDiT(config)))
    check_fits(path, wanted, source)
    return config, source.select({name: name for name in wanted})


def read_dit(
    path: Path, dtype: torch.dtype | None = None, loras: Sequence[LoraFile] = ()
) -> tuple[DiTConfig, dict[str, Tensor]]:
    """Return the size of a DiT and its official state dict, LoRAs merged in float32, then cast once to `dtype`.

    None keeps each tensor's own format: float32 for those that were stored in fp8. Raises VFEError as `open_dit` and
    `merge_loras` do.
    """
    config, source = open_dit(path)
    plan = LoraPlan(loras, {name: source.shape(name) for name in source.names})
    state = {}
    for name in source.names:
        state[name] = cast(path, name, plan.merge(name, source.get(name)), dtype or source.dtype(name))
    return config, state


def load_dit(
    path: Path,
    loras: Sequence[LoraFile] = (),
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - an immutable value
    dtype: torch.dtype = torch.float32,
    needed: DiTConfig | None = None,
    build: Callable[[DiTConfig], WanDiT] = WanDiT,
) -> WanDiT:
    """Return the DiT of a file with LoRAs merged, frozen and in eval mode.

    `needed` is the size that it must have, `build` makes it (with another attention, say). Raises VFEError as
    `open_dit` and `merge_loras` do.
    """
    config, source = open_dit(path, needed)
    plan = LoraPlan(loras, {name: source.shape(name) for name in source.names})
    return load_strictly(
        build_on_meta(lambda: build(config)),
        lambda name: plan.merge(name, source.get(name)),
        path,
        device=device,
        dtype=dtype,
    )


def read_flow(source: TensorSource) -> OneStepFlow | None:
    """Return the step that a DiT was trained for, as `vfe convert --rule` noted it; None where nothing is noted.

    Raises VFEError where the note is damaged.
    """
    if "rule" not in source.metadata:
        return None
    rule = source.metadata["rule"]
    try:
        return OneStepFlow(rule, float(source.metadata.get("timestep", "400")))  # type: ignore[arg-type]
    except ValueError as error:
        raise VFEError(
            f"{source.path}: its metadata is damaged ({printable(error)}); convert the file again"
        ) from error


def to_official_names(source: TensorSource) -> TensorSource:
    """Select the DiT of an open file: no prefix, official names, fp8 undone. VFEError where there is not one DiT."""
    marks = find_marks(source, DIT_MARKS)
    if not marks:
        raise VFEError(
            f"{source.path}: no Wan DiT in it (no {DIT_MARK}; it holds {preview_names(source.names)}); "
            "give wan2.1_t2v_1.3B, its diffusers folder or a VividFace checkpoint"
        )
    if len(marks) > 1:
        prefixes = preview_names(found.prefix or "no prefix" for found in marks)
        raise VFEError(
            f"{source.path}: {len(marks)} Wan DiTs in it ({prefixes}); save the one to use in a file of its own"
        )
    naming, names = "official names", names_after(source, marks[0].prefix)
    for start, what in _VARIANTS:
        if any(name.startswith(start) for name in names):
            raise VFEError(f"{source.path}: {what}; {NEEDED_DIT}")
    if marks[0].mark == DIFFUSERS_DIT_MARK:
        names, naming = {from_diffusers(name): full for name, full in names.items()}, "diffusers names"
    selected = source.select(names, f"{naming}{label(marks[0])}, {source.layout}")
    return with_axes(selected) if source.layout == GGUF else dequantised(selected)


def config_of(source: TensorSource) -> DiTConfig:
    """Return the size of a DiT from the shapes of its tensors; VFEError where they fit no text-to-video DiT."""
    dim = _shape(source, DIT_MARK, 3)[-1]
    _, channels, *patch = _shape(source, "patch_embedding.weight", 5)
    out = _shape(source, "head.head.weight", 2)[0]
    voxels = patch[0] * patch[1] * patch[2]
    if out != channels * voxels:
        raise VFEError(
            f"{source.path}: a Wan DiT that takes {channels} channels and gives {out / voxels:g}; {NEEDED_DIT}"
        )
    if channels != len(LATENT_MEAN):
        raise VFEError(
            f"{source.path}: a Wan DiT for latents of {channels} channels, as Wan2.2's 5B has; needed one for the "
            f"{len(LATENT_MEAN)} of Wan2.1's VAE"
        )
    layers, heads = _count_layers(source), _heads(source, dim)
    ffn_dim = _shape(source, "blocks.0.ffn.0.weight", 2)[0]
    freq_dim = _shape(source, "time_embedding.0.weight", 2)[1]
    text_dim = _shape(source, "text_embedding.0.weight", 2)[1]
    try:
        return DiTConfig(
            in_channels=channels,
            dim=dim,
            heads=heads,
            layers=layers,
            ffn_dim=ffn_dim,
            freq_dim=freq_dim,
            text_dim=text_dim,
            patch=(patch[0], patch[1], patch[2]),
        )
    except ValueError as error:
        raise VFEError(f"{source.path}: no Wan DiT can have these shapes ({error}); {NEEDED_DIT}") from error


def _shape(source: TensorSource, name: str, axes: int) -> tuple[int, ...]:
    if name not in source:
        raise VFEError(f"{source.path}: a Wan DiT without {name}; the file is incomplete, get it again")
    if len(source.shape(name)) != axes or 0 in source.shape(name):
        raise VFEError(f"{source.path}: {name} is {source.shape(name)}, needed {axes} axes of 1 or more")
    return source.shape(name)


def _count_layers(source: TensorSource) -> int:
    indices = {int(match[1]) for name in source.names if (match := re.match(r"blocks\.(\d{1,6})\.", name))}
    if not indices or indices != set(range(len(indices))):
        gaps = preview_names(map(str, set(range(max(indices, default=0) + 1)) - indices))
        raise VFEError(f"{source.path}: a Wan DiT without blocks {gaps}; the file is incomplete, get it again")
    if len(indices) > MAX_LAYERS:
        raise VFEError(f"{source.path}: a DiT of {len(indices)} blocks, at most {MAX_LAYERS} are built")
    return len(indices)


def _heads(source: TensorSource, dim: int) -> int:
    """Return the number of heads: dim / 128, or what `vfe convert` noted, for small DiTs of tests have other heads."""
    noted = source.metadata.get("heads", "")
    if noted.isdecimal() and int(noted) > 0:
        return int(noted)
    if dim % HEAD_WIDTH:
        raise VFEError(f"{source.path}: a DiT of width {dim}; Wan's are multiples of {HEAD_WIDTH}, the width of a head")
    return dim // HEAD_WIDTH


def check_size(path: Path, config: DiTConfig, needed: DiTConfig) -> None:
    """Raise VFEError where a DiT is not of the size that is needed: a 14B one where 1.3B was asked for."""
    sizes = [(got.dim, got.layers, got.ffn_dim) for got in (config, needed)]
    if sizes[0] != sizes[1]:
        got, want = (f"width {dim}, {layers} blocks, feed-forward {ffn}" for dim, layers, ffn in sizes)
        raise VFEError(
            f"{path}: a Wan DiT of {size_of(config)} parameters ({got}), needed {size_of(needed)} ({want}); "
            "give the file of that size"
        )


def size_of(config: DiTConfig) -> str:
    """Return the approximate number of a DiT's parameters as people write it, such as "1.42 B"."""
    block = config.dim * (8 * config.dim + 2 * config.ffn_dim)
    ends = config.dim * (config.text_dim + 9 * config.dim)
    count = config.layers * block + ends
    return f"{count / 1e9:.3g} B" if count >= 1e8 else f"{count / 1e6:.3g} M"
