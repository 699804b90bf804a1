"""From the file of a model to its pipeline: lite's alone, a Wan DiT's with the files that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..library.find import find_model
from ..library.folders import ModelFolder
from ..options import ModelOptions
from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..types import Notify, VFEError
from ..weights.lite import is_lite_model
from .lite import load_lite_pipeline
from .request import LoadRequest

LITE, LITE_FAST, LITE_FACES = "lite", "lite-fast", "lite_faces"
"""Names of the bundled model's parts: for whole frames, the same with fewer blocks, and for faces after both."""
NO_FACE_MODEL = "none"
"""What `ModelOptions.face_model` says where no part for faces is wanted."""


def load_pipeline(request: LoadRequest, notify: Notify) -> OneStepPipeline:
    """Return the pipeline of the model that is asked for; `notify` gets a line on how a Wan model fits the memory.

    Raises VFEError where a file, or what was asked of it, is wrong.
    """
    if is_lite_model(request.path):
        _refuse_wan_options(request.options)
        return load_lite_pipeline(request, request.window or WindowConfig())
    from .wan import load_wan_pipeline  # only here: lite needs none of it

    return load_wan_pipeline(request, notify)


def face_model_for(path: Path, options: ModelOptions, folders: Sequence[ModelFolder]) -> Path | None:
    """Return the model for aligned faces that goes with the one at `path`: the one asked for, lite's own, or None."""
    asked = options.face_model
    if asked is None:
        return find_model(LITE_FACES) if path in (find_model(LITE), find_model(LITE_FAST)) else None
    return None if str(asked) == NO_FACE_MODEL else find_model(asked, folders)


def _refuse_wan_options(options: ModelOptions) -> None:
    """Raise VFEError where something was asked for that lite has no part for."""
    plain = ModelOptions(
        folders=options.folders, comfyui=options.comfyui, face_model=options.face_model, steps=options.steps
    )
    if options != plain:
        asked = [name for name, value in vars(options).items() if value != getattr(plain, name)]
        raise VFEError(
            f"the lite model has no use for {', '.join(asked)}; these are for Wan models (--model vividface)"
        )
