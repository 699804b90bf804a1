"""A CONDITIONING of ComfyUI's own text encoder, taken as the prompt embedding of a Wan DiT.

n rows, one per token of the text; D their width, 4096.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...vfe.models.wan import PROMPT_ROWS
from ...vfe.tensor_io.source import is_finite
from ...vfe.types import VFEError

NEEDED = "connect CLIP Text Encode, with Load CLIP of type wan and the file of umT5-XXL"
"""What a user does to get one that fits."""


def prompt_rows(conditioning: Any, text_dim: int) -> Tensor:  # noqa: ANN401 - whatever another node gives
    """Return the rows (n, D) of the one text that a CONDITIONING holds, float32, n from 1 to 512.

    ComfyUI gives 512 rows or more, of which those beyond the text are zero; they are left out. Raises VFEError for
    several texts, another width than `text_dim`, more than 512 tokens, NaN, and what other encoders give.
    """
    if not isinstance(conditioning, list | tuple):
        raise VFEError(f"the conditioning is {type(conditioning).__name__}, needed is one text; {NEEDED}")
    if len(conditioning) != 1:
        raise VFEError(f"the conditioning is {len(conditioning)} texts, needed is one; {NEEDED}")
    embedded, extra = conditioning[0]
    if not isinstance(embedded, Tensor) or embedded.ndim != 3 or len(embedded) != 1 or embedded.shape[-1] != text_dim:
        got = str(tuple(embedded.shape)) if isinstance(embedded, Tensor) else type(embedded).__name__
        raise VFEError(f"the conditioning is {got}, needed (1, tokens, {text_dim}) for this Wan DiT; {NEEDED}")
    if isinstance(extra.get("pooled_output"), Tensor):  # Wan's encoder has none
        raise VFEError(f"the conditioning is of another model's text encoder, needed is that of Wan; {NEEDED}")
    rows = embedded[0].detach().cpu().float()
    if (mask := extra.get("attention_mask")) is not None:  # ComfyUI's Wan gives none: its padding is zero already
        rows = rows * mask.reshape(-1, 1).cpu()
    if not is_finite(rows):
        raise VFEError("the conditioning holds NaN or infinity; the file of the text encoder is damaged, get it again")
    return _without_padding(rows)


def _without_padding(rows: Tensor) -> Tensor:
    """Return the rows up to the last that is not zero, at least one; VFEError where they are more than 512."""
    filled = torch.nonzero(rows.ne(0).any(dim=1))
    rows = rows[: int(filled.max()) + 1 if len(filled) else 1]
    if len(rows) > PROMPT_ROWS:
        raise VFEError(f"the prompt has {len(rows)} tokens, a Wan DiT takes up to {PROMPT_ROWS}; make it shorter")
    return rows
