"""Model folders of a ComfyUI installation: those under models/ and those that extra_model_paths.yaml adds.

The rules are those of ComfyUI's folder_paths.py and utils/extra_config.py; `unet` and `clip` are the older names of
diffusion_models and text_encoders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..types import VFEError

FOLDER_KINDS = ("diffusion_models", "unet", "vae", "loras", "text_encoders", "clip", "vfe", "checkpoints")
"""The keys of folder_paths whose folders may hold files of use, in the order in which they are searched."""

EXTRA_PATHS = "extra_model_paths.yaml"


def comfyui_folders(path: Path) -> list[Path]:
    """Return the folders of models of the installation at `path`, or those that the .yaml file `path` names.

    Not all of them need exist. Raises VFEError where `path` is neither, or where a YAML file cannot be read.
    """
    path = path.expanduser()
    if path.suffix.lower() in (".yaml", ".yml"):
        return _in_order(_extra_folders(path))
    if not (path / "models").is_dir():
        raise VFEError(f"{path}: not a ComfyUI installation, it has no folder models; name the folder with main.py")
    own = [(kind, path / "models" / kind, False) for kind in FOLDER_KINDS]
    extra = path / EXTRA_PATHS
    return _in_order([*own, *(_extra_folders(extra) if extra.is_file() else ())])


def _in_order(entries: list[tuple[str, Path, bool]]) -> list[Path]:
    """Sort folders by kind. Within a kind those of sections with `is_default` come first, the last of them first."""
    folders: list[Path] = []
    for kind in FOLDER_KINDS:
        of_kind: list[Path] = []
        for name, folder, is_default in entries:
            if name == kind:
                of_kind.insert(0 if is_default else len(of_kind), folder)
        folders += of_kind
    return list(dict.fromkeys(folders))


def _extra_folders(path: Path) -> list[tuple[str, Path, bool]]:
    """Return (kind, folder, whether its section is a default) for every folder that the file names."""
    sections = _read_yaml(path)
    if sections is None:  # the file that ComfyUI ships has only comments
        return []
    if not isinstance(sections, dict):
        raise VFEError(f"{path}: holds a {type(sections).__name__}, needed are sections with base_path and folders")
    found = []
    for name, section in sections.items():
        if section is None:
            continue
        if not isinstance(section, dict):
            raise VFEError(f"{path}: section {name} is a {type(section).__name__}, needed are folders by kind")
        base = _expanded(path.parent.absolute(), str(section.get("base_path") or ""))
        is_default = section.get("is_default") is True
        for kind in FOLDER_KINDS:
            found += [(kind, folder, is_default) for folder in _lines(base, section.get(kind))]
    return found


def _read_yaml(path: Path) -> object:
    from ..files.yaml_file import read_yaml  # PyYAML, which nobody else should wait for

    return read_yaml(path, aliases=True)


def _lines(base: Path, value: object) -> Iterator[Path]:
    """Yield a folder for each line. ComfyUI's example has comments in such a block, which YAML takes for text."""
    for line in str(value or "").splitlines():
        if line.strip():
            whole = _expanded(base, line.strip())
            yield whole if whole.is_dir() else _expanded(base, line.split(" #")[0].strip())


def _expanded(base: Path, text: str) -> Path:
    return Path(os.path.normpath(base / Path(os.path.expandvars(text)).expanduser()))
