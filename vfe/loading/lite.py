"""The lite model as a pipeline."""

from __future__ import annotations

from pathlib import Path

import torch

from ..pipeline.one_step import OneStepPipeline, WindowConfig
from ..weights.lite import load_restorer


def load_pipeline(path: Path, device: torch.device, dtype: torch.dtype, window: WindowConfig) -> OneStepPipeline:
    """A restorer file as a pipeline; raises VFEError as `load_restorer` does."""
    return OneStepPipeline(load_restorer(path, device, torch.float32).fold(dtype), window)
