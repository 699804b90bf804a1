"""A request for a lite model on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from vfe.loading.request import LoadRequest
from vfe.options import ModelOptions


def lite_request(path: Path, dtype: torch.dtype, *, quantises: bool = False) -> LoadRequest:
    """Ask for the lite model of a file in one dtype."""
    return LoadRequest(
        path=path, device=torch.device("cpu"), dtypes=(dtype,), quantises=quantises, options=ModelOptions()
    )
