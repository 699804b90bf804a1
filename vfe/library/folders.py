"""The folders in which model files may be, in the order in which they are searched; no file is opened here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..files.user_folders import CACHE
from ..types import VFEError
from .comfyui import comfyui_folders

FOLDERS_VARIABLE = "VFE_MODELS"
"""The environment variable with further folders of models, separated like PATH."""
COMFYUI_VARIABLE = "COMFYUI_PATH"
"""The environment variable with the folder of a ComfyUI installation, or with its extra_model_paths.yaml."""

BUNDLED, HUB = "bundled", "Hugging Face cache"
"""Labels of the package's own folder and of the cache of huggingface_hub."""


class ModelFolder(NamedTuple):
    """A folder that is searched for model files."""

    label: str
    """What people call it, or where it was named: "bundled", "ComfyUI", "--models", ..."""
    path: Path


def search_folders(folders: Sequence[Path] = (), comfyui: Path | None = None) -> list[ModelFolder]:
    """The folders of model files that exist, in the order in which they are searched.

    They are the package's own, those of VFE_MODELS, `folders`, ComfyUI's, the Hugging Face cache and our own cache.
    `comfyui` is a ComfyUI installation or an extra_model_paths.yaml; without it, COMFYUI_PATH may name one. A folder
    that two sources name counts once. Raises VFEError where a folder that was asked for is none.
    """
    for folder in folders:
        if not folder.is_dir():
            raise VFEError(f"{folder}: no such folder; --models needs a folder of model files")
    if comfyui is None and os.environ.get(COMFYUI_VARIABLE):
        comfyui = Path(os.environ[COMFYUI_VARIABLE])
    searched = [ModelFolder(BUNDLED, folder) for folder in bundled_folders()[:1]]
    searched += [ModelFolder(FOLDERS_VARIABLE, folder) for folder in bundled_folders()[1:]]
    searched += [ModelFolder("--models", folder) for folder in folders]
    searched += [ModelFolder("ComfyUI", folder) for folder in (comfyui_folders(comfyui) if comfyui else ())]
    searched += [ModelFolder(HUB, hub_folder()), ModelFolder("vfe cache", cache_folder())]
    return _existing_once(searched)


def bundled_folders() -> list[Path]:
    """Return the folders in which a name is looked for first: the one in the package, then those of VFE_MODELS."""
    further = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return [
        Path(__file__).resolve().parents[1] / "assets",
        *(Path(folder).expanduser() for folder in further if folder),
    ]


def cache_folder(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder into which `vfe models pull` puts files: vfe/models in the platform's cache folder."""
    return CACHE.on(platform, environ) / "vfe" / "models"


def hub_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the cache folder of huggingface_hub, from the variables that it reads and without importing it."""
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if environ.get(variable):
            return Path(os.path.expandvars(environ[variable])).expanduser() / below
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache.expanduser() / "huggingface" / "hub"


def _existing_once(folders: list[ModelFolder]) -> list[ModelFolder]:
    first: dict[Path, ModelFolder] = {}
    for folder in folders:
        if folder.path.is_dir():
            first.setdefault(folder.path.resolve(), folder)
    return list(first.values())
