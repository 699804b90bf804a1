"""Prompt embeddings that ComfyUI's text encoder made once: small files among the models, found again by their text."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import folder_paths
from torch import Tensor

from ...vfe.library.find import COMPONENTS
from ...vfe.tensor_io.open import open_tensors
from ...vfe.types import VFEError
from ...vfe.weights.prompt import prompt_embedding_names, read_prompt_embedding, write_prompt_embedding
from .model_paths import FOLDER, PROMPT_EMBEDDING_FOLDERS, listed, path_of

PROMPT, MADE_BY = "prompt", "made_by"
"""The keys, in a file's metadata, of the text that it is of, which `vfe embed-prompt` writes too, and of its maker."""
COMFYUI = "ComfyUI"

log = logging.getLogger("vfe")


def find_remembered(text: str, text_dim: int) -> Path | None:
    """Return the first file of ComfyUI's folders that holds the embedding, (n, text_dim), of this very text, or None.

    For a text that is not empty only those that `remember` wrote count: ComfyUI reads some signs as weights.
    """
    for name in listed(PROMPT_EMBEDDING_FOLDERS):
        try:
            path = path_of(name, PROMPT_EMBEDDING_FOLDERS)
            if path.stat().st_size > COMPONENTS["prompt_embedding"].most_bytes:
                continue
            source = open_tensors(path)
        except (VFEError, OSError):  # something else, or gone
            continue
        is_meant = source.metadata.get(PROMPT) == text and (not text or source.metadata.get(MADE_BY) == COMFYUI)
        if is_meant and len(prompt_embedding_names(source, text_dim)) == 1:
            return path
    return None


def remember(rows: Tensor, text: str | None) -> Path:
    """Write the embedding (n, D) of a text into models/vfe, and return the file; it appears when it is complete.

    What is there under its name stays where it is another one, and the new one gets a name of its own. Where the text
    is not known, and so could not be looked for, or the folder cannot be written, the file is a temporary one.
    """
    digest = hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest()[:12]
    temporary = Path(folder_paths.get_temp_directory()) / f"vfe_prompt_{digest}.safetensors"
    if text is None:
        return _write(temporary, rows, {})
    stem = f"prompt_{hashlib.sha256(text.encode()).hexdigest()[:12]}" if text else "empty_prompt"
    path = Path(folder_paths.get_folder_paths(FOLDER)[0]) / f"{stem}.safetensors"
    if path.exists() and not _holds(path, rows):
        log.warning("%s is another embedding and stays; this one is kept as %s_%s", path, stem, digest)
        path = path.with_stem(f"{stem}_{digest}")
    if path.exists():
        return path
    try:
        _write(path, rows, {PROMPT: text, MADE_BY: COMFYUI})
    except OSError as error:
        log.warning("%s cannot be written (%s); the text encoder is needed again next time", path, error.strerror)
        return _write(temporary, rows, {})
    log.info("the prompt embedding is kept in %s; the text encoder is not needed for it again", path)
    return path


def _write(path: Path, rows: Tensor, metadata: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_prompt_embedding(path, rows, metadata)
    return path


def _holds(path: Path, rows: Tensor) -> bool:
    """Return whether a file is this very embedding."""
    try:
        kept = read_prompt_embedding(path, rows.shape[1])[0]
    except (VFEError, OSError):
        return False
    return bool(kept[: len(rows)].equal(rows)) and not kept[len(rows) :].any()
