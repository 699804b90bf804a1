"""Folders that a user names: of ComfyUI's own ones alone, for whoever may run a workflow may name any."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...vfe.types import VFEError


def input_folder(name: str) -> Path:
    """Return a folder in ComfyUI's input folder; an empty name is that folder itself.

    Links in it are followed, for who made them may read what they lead to. Raises VFEError for a name that leads out
    of it, or to no folder.
    """
    root = Path(folder_paths.get_input_directory()).absolute()
    folder = _below(root, name, "input")
    if not folder.is_dir():
        raise VFEError(f"{folder}: no such folder; put one with the clips, or a link to it, into {root}")
    return folder


def output_folder(name: str) -> Path:
    """Return a folder in ComfyUI's output folder, which is made where it is not there.

    Raises VFEError for a name that leads out of it, or that a file has.
    """
    folder = _below(Path(folder_paths.get_output_directory()).absolute(), name, "output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VFEError(f"{folder}: cannot be made ({error.strerror}); choose another output") from error
    return folder


def _below(root: Path, name: str, kind: str) -> Path:
    """Return the path of this name below `root`, with no step back in it."""
    path = Path(os.path.normpath(root / name.strip()))
    if "\0" in name or not path.is_relative_to(root):
        raise VFEError(f"{name!r} is not in ComfyUI's {kind} folder; name a folder in {root}, as 'tapes/1984'")
    return path
