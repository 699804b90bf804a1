"""Model files as ComfyUI lists them: its own folders first, then `vfe`. Listing opens no file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import folder_paths

from ...vfe.library.folders import ModelFolder, bundled_folders
from ...vfe.library.scan import SCANNED_SUFFIXES
from ...vfe.types import VFEError

FOLDER = "vfe"
"""The name, among ComfyUI's kinds of model folders, of those of this pack."""
NONE, AUTO, LITE = "none", "auto", "lite (bundled)"
"""The entries of the lists that are no files: leave it out, find it, and the restorer in the package."""

GGUF_FOLDER = "vfe_gguf"
"""The kind of the GGUF files in the folders of diffusion_models, which ComfyUI itself does not list."""
RESTORER_FOLDERS = ("diffusion_models", GGUF_FOLDER, "unet_gguf", FOLDER, "checkpoints")
"""Of these, unet_gguf is ComfyUI-GGUF's, for which people may have named folders of their own."""
VAE_FOLDERS = ("vae", FOLDER)
LORA_FOLDERS = ("loras", FOLDER)
PROMPT_EMBEDDING_FOLDERS = ("text_encoders", FOLDER)
ADAPTER_FOLDERS = (FOLDER, "diffusion_models")


Component = Literal["wan_vae", "prompt_embedding"]
"""The kinds of files that are looked for where none is named."""


def register_folder() -> None:
    """Make models/vfe known to ComfyUI, beside what extra_model_paths.yaml may have said of `vfe`, and GGUF files."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))
    folders, _ = folder_paths.folder_names_and_paths["diffusion_models"]
    folder_paths.folder_names_and_paths[GGUF_FOLDER] = (folders, {".gguf"})  # the very list, to which more may be added


def listed(folders: Sequence[str]) -> list[str]:
    """Return the names of the weight files in these kinds of folders, as ComfyUI calls them, each once."""
    names: dict[str, None] = {}
    for folder in folders:
        known = folder in folder_paths.folder_names_and_paths
        for name in folder_paths.get_filename_list(folder) if known else ():
            if name.lower().endswith(SCANNED_SUFFIXES):
                names.setdefault(name)
    return list(names)


def path_of(name: str, folders: Sequence[str]) -> Path:
    """Return the file of that name in the first folder that has it; VFEError where it is gone."""
    for folder in folders:
        found = folder_paths.get_full_path(folder, name) if folder in folder_paths.folder_names_and_paths else None
        if found is not None:
            return Path(found)
    raise VFEError(f"{name}: no such file in the folders {', '.join(folders)} of ComfyUI; choose one of the list")


def model_folders(kinds: Sequence[str]) -> list[ModelFolder]:
    """Return where a file is looked for that is not named: ComfyUI's folders of these kinds, then those of vfe."""
    paths = [
        Path(path)
        for kind in kinds
        if kind in folder_paths.folder_names_and_paths
        for path in folder_paths.get_folder_paths(kind)
    ]
    found = [ModelFolder("ComfyUI", path) for path in dict.fromkeys(paths) if path.is_dir()]
    return [*found, *(ModelFolder("vfe", path) for path in bundled_folders() if path.is_dir())]


def fingerprint(name: str, folders: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return path, time and size of a file, or with "auto" of all that may be meant; no file is opened."""
    if name in (NONE, LITE):
        return []
    names = listed(folders) if name == AUTO else [name]
    stamps = []
    for each in names:
        try:
            path = path_of(each, folders)
            stat = path.stat()
        except (VFEError, OSError):  # it is gone: the node itself says so
            continue
        stamps.append((str(path), stat.st_mtime_ns, stat.st_size))
    return stamps
