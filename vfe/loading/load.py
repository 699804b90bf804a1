"""From the file of a model to its pipeline: lite's alone, a Wan DiT's with the files that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..device import free_memory
from ..library.catalogue import CATALOGUE
from ..library.find import find_component, find_model
from ..library.folders import Place
from ..options import ModelOptions
from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..types import Tell, VFEError
from ..weights.lite import is_restorer
from .lite import load_pipeline as load_lite

LITE, LITE_FACES = "lite", "lite_faces"
"""Names of the bundled model's parts: for whole frames, and for faces."""
NO_FACE_MODEL = "none"


@dataclass(frozen=True)
class LoadRequest:
    """What to load, and where; what a Wan model needs beside its DiT is looked for in `places`."""

    path: Path
    places: Sequence[Place]
    device: torch.device
    dtypes: tuple[torch.dtype, ...]
    """In order of preference: lite takes the first, a Wan model the first that fits the memory."""
    window: WindowConfig | None
    options: ModelOptions
    name: str | None = None
    """By which the model was asked for; None: by its path."""


def load_pipeline(request: LoadRequest, tell: Tell) -> OneStepPipeline:
    """The model's pipeline; VFEError where a file, or what was asked of it, is wrong."""
    if is_restorer(request.path):
        _refuse_wan_options(request.options)
        return load_lite(request.path, request.device, request.dtypes[0], request.window or WindowConfig())
    return _load_wan(request, tell)


def _load_wan(request: LoadRequest, tell: Tell) -> OneStepPipeline:
    from ..models.dit.model import DiTConfig
    from ..weights.lora import LoraSpec
    from ..weights.recognise import recognise
    from .wan import WanFiles, WanRun, load_wan

    path, places, options = request.path, request.places, request.options
    if path.is_file():  # a folder may hold more than a DiT, which is then looked for in it
        found = recognise(path)
        if found.kind != "wan_dit":
            raise VFEError(f"{path}: {found.description}; --model needs a vfe restorer or a Wan2.1 DiT")
    files = WanFiles(
        dit=path,
        vae=options.vae or find_component("wan_vae", places),
        context=options.context or find_component("context", places),
        loras=tuple(LoraSpec(*lora) for lora in options.loras),
        adapter=options.adapter,
        needed=DiTConfig() if is_known_dit(request.name) else None,
    )
    run = WanRun(
        device=request.device,
        dtypes=request.dtypes,
        budget=options.memory or free_memory(request.device),
        attention=options.attention,
        compile=options.compile,
        fold=options.fold,
        fp8=options.fp8,
    )
    return load_wan(files, run, request.window, tell)


def face_model_for(request: LoadRequest) -> Path | None:
    """The part for faces that goes with a model: the one that was asked for, the bundled one with lite, or none."""
    asked = request.options.face_model
    if asked is None:
        return find_model(LITE_FACES) if request.path == find_model(LITE) else None
    return None if str(asked) == NO_FACE_MODEL else find_model(asked, request.places)


def is_known_dit(name: str | None) -> bool:
    """Whether a name means a DiT of the catalogue, where it is called or as its file is; all of them are 1.3B ones."""
    known = [entry for entry in CATALOGUE if entry.folder == "diffusion_models"]
    names = {called for entry in known for called in (entry.name, entry.file_name, Path(entry.file_name).stem)}
    return name is not None and name.casefold() in {called.casefold() for called in names}


def _refuse_wan_options(options: ModelOptions) -> None:
    """Raise VFEError where something was asked for that lite has no part for."""
    plain = ModelOptions(folders=options.folders, comfyui=options.comfyui, face_model=options.face_model)
    if options != plain:
        asked = [name for name, value in vars(options).items() if value != getattr(plain, name)]
        raise VFEError(
            f"the lite model has no use for {', '.join(asked)}; these are for Wan models (--model vividface)"
        )
