"""What is asked for when a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..library.folders import ModelFolder
from ..options import ModelOptions
from ..pipeline.windows import WindowConfig


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """A model's file, and how it is to run."""

    path: Path
    """The file, index or folder with the weights: a lite model, or a Wan DiT."""
    device: torch.device
    dtypes: tuple[torch.dtype, ...]
    """In order of preference: lite takes the first, a Wan model the first in which a window fits the memory."""
    quantises: bool = False
    """Whether lite may compute in int8 instead of float32 on a CPU, where that is faster."""
    options: ModelOptions
    """The other files of a Wan model, and how its DiT runs."""
    folders: Sequence[ModelFolder] = ()
    """Where the VAE and the prompt embedding are looked for if `options` names none."""
    window: WindowConfig | None = None
    """How many frames are restored together; None leaves it to the model."""
    name: str | None = None
    """The name by which the model was asked for; None if it was asked for by its path."""
