"""The embedded prompt: rows of umT5-XXL for one text, made once, in a file of a few KB.

n rows, one per token of the text; D their width, 4096.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from ..tensor_io.open import open_tensors
from ..tensor_io.source import FP8, Entry, TensorSource, preview_names
from ..tensor_io.write import write_safetensors
from ..types import Remedy, VFEError

CONTEXT_FORMAT = "vfe-context-1"
NAME = "context"
TEXT_DIM = 4096
ROWS = 512
"""Wan's DiT takes 512 rows: umT5's output is cut to the tokens of the text and filled up with zero rows, which are
attended to like all others. In Wan2.1 `T5EncoderModel.__call__` cuts and `WanModel.forward` fills up to `text_len`;
`WanPipeline._get_t5_prompt_embeds` of diffusers and the zeroed padding of ComfyUI's umT5 give the same."""


def read_context(path: Path, text_dim: int = TEXT_DIM) -> Tensor:
    """The context (1, 512, text_dim) of a file that holds one tensor of (n, text_dim) or (1, n, text_dim), n <= 512.

    Rows that are not there are zero. Raises VFEError where the file holds none or several, or more rows.
    """
    source = open_tensors(path)
    found = context_names(source, text_dim)
    if len(found) != 1:
        raise VFEError(
            f"{path}: {len(found) or 'no'} tensors of n x {text_dim} with n up to {ROWS} (it holds {_held(source)})",
            Remedy.CHOOSE_CONTEXT,
            "needed one, as `vfe embed-prompt` writes it",
        )
    context = source.get(found[0]).reshape(1, -1, text_dim)
    return F.pad(context, (0, 0, 0, ROWS - context.shape[1]))


def context_names(source: TensorSource, text_dim: int | None = TEXT_DIM) -> list[str]:
    """The tensors that may be a context: the one of that name, else every one of its shape; None is any width."""
    found = [name for name in source.names if _is_context(source.entry(name), text_dim)]
    return [NAME] if NAME in found else found


def _is_context(entry: Entry, text_dim: int | None) -> bool:
    if len(entry.shape) not in (2, 3) or not entry.dtype.is_floating_point or entry.dtype in FP8:
        return False
    *batch, rows, width = entry.shape
    return batch in ([], [1]) and 1 <= rows <= ROWS and text_dim in (None, width)


def _held(source: TensorSource) -> str:
    return preview_names(f"{name} {source.shape(name)}" for name in source.names)


def write_context(path: Path, context: Tensor, metadata: Mapping[str, str] | None = None) -> None:
    """Write (n, D) or (1, n, D) without the zero rows at its end, in its own format, beside `metadata`.

    Raises ValueError for another shape or more than 512 rows.
    """
    if (
        context.ndim not in (2, 3)
        or (context.ndim == 3 and context.shape[0] != 1)
        or not 1 <= context.shape[-2] <= ROWS
    ):
        raise ValueError(f"context is {tuple(context.shape)}, needed (n, D) or (1, n, D) with n from 1 to {ROWS}")
    rows = context.detach().cpu().reshape(context.shape[-2:])
    filled = rows.ne(0).any(dim=1).nonzero()
    rows = rows[: int(filled.max()) + 1 if len(filled) else 1].contiguous()
    entry = Entry(tuple(rows.shape), rows.dtype, lambda: rows)
    write_safetensors(path, {NAME: entry}, {"format": CONTEXT_FORMAT, **(metadata or {})})
