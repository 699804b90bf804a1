"""Where model files lie and how a name finds one. No torch here: an unknown name is reported at once."""

from __future__ import annotations

import os
from pathlib import Path

from .types import VFEError

SUFFIX = ".safetensors"
FOLDERS_VARIABLE = "VFE_MODELS"
"""Environment variable: folders of further models, separated like PATH."""


def model_folders() -> list[Path]:
    """Folders that are searched for models: the one in the package, then those of VFE_MODELS."""
    further = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return [Path(__file__).parent / "assets", *(Path(folder) for folder in further if folder)]


def find_models() -> dict[str, Path]:
    """Names of the models that can be loaded and their files; a bundled name wins over a later one."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def find_model(name_or_path: str | Path) -> Path:
    """The file of a model given by name ("lite") or by path; VFEError that names what there is when it is neither."""
    path = Path(name_or_path)
    models = find_models()
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    if path.is_file():
        return path
    if path.suffix == SUFFIX or len(path.parts) > 1:
        raise VFEError(f"model file not found: {path}")
    names = ", ".join(sorted(models)) or "none is installed"
    raise VFEError(f"unknown model {str(name_or_path)!r}; available: {names}; or give the path of a {SUFFIX} file")
