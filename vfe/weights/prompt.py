"""The file of a prompt embedding: rows of umT5-XXL for one text, computed once and kept in a file of a few KB.

n rows, one per token of the text; D their width, 4096.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from ..models.wan import PROMPT_ROWS
from ..tensor_io.open import open_tensors
from ..tensor_io.source import FP8, Entry, TensorSource, preview_names
from ..tensor_io.write import entries_of, write_safetensors
from ..types import Remedy, VFEError

PROMPT_FORMAT = "vfe-context-1"
TENSOR_NAME = "context"  # Wan's code calls the prompt embedding its context
TEXT_DIM = 4096


def read_prompt_embedding(path: Path, text_dim: int = TEXT_DIM) -> Tensor:
    """The embedding (1, 512, text_dim) of a file that holds one tensor of (n, text_dim) or (1, n, text_dim), n <= 512.

    Rows that are not there are zero. Raises VFEError where the file holds no such tensor, several, or one of more rows.
    """
    source = open_tensors(path)
    found = prompt_embedding_names(source, text_dim)
    if len(found) != 1:
        held = preview_names(f"{name} {source.shape(name)}" for name in source.names)
        raise VFEError(
            f"{path}: {len(found) or 'no'} tensors of n x {text_dim} with n up to {PROMPT_ROWS} (it holds {held})",
            Remedy.CHOOSE_PROMPT_EMBEDDING,
            "needed one, as `vfe embed-prompt` writes it",
        )
    rows = source.get(found[0]).reshape(1, -1, text_dim)
    return F.pad(rows, (0, 0, 0, PROMPT_ROWS - rows.shape[1]))


def prompt_embedding_names(source: TensorSource, text_dim: int | None = TEXT_DIM) -> list[str]:
    """The names of tensors that may be a prompt embedding: "context" if it is one, else every one of its shape.

    `text_dim` is their width; None takes any.
    """
    found = [name for name in source.names if _is_prompt_embedding(source.entry(name), text_dim)]
    return [TENSOR_NAME] if TENSOR_NAME in found else found


def _is_prompt_embedding(entry: Entry, text_dim: int | None) -> bool:
    if len(entry.shape) not in (2, 3) or not entry.dtype.is_floating_point or entry.dtype in FP8:
        return False
    *batch, rows, width = entry.shape
    return batch in ([], [1]) and 1 <= rows <= PROMPT_ROWS and text_dim in (None, width)


def write_prompt_embedding(path: Path, embedding: Tensor, metadata: Mapping[str, str] | None = None) -> None:
    """Write (n, D) or (1, n, D) without the zero rows at its end, in its own dtype, beside `metadata`.

    Raises ValueError for another shape or more than 512 rows.
    """
    is_batch = embedding.ndim == 3 and embedding.shape[0] == 1
    if not (embedding.ndim == 2 or is_batch) or not 1 <= embedding.shape[-2] <= PROMPT_ROWS:
        raise ValueError(
            f"the embedding is {tuple(embedding.shape)}, needed (n, D) or (1, n, D) with n from 1 to {PROMPT_ROWS}"
        )
    rows = embedding.detach().cpu().reshape(embedding.shape[-2:])
    filled = rows.ne(0).any(dim=1).nonzero()
    rows = rows[: int(filled.max()) + 1 if len(filled) else 1].contiguous()
    write_safetensors(path, entries_of({TENSOR_NAME: rows}), {"format": PROMPT_FORMAT, **(metadata or {})})
