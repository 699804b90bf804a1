"""The number format in which the networks of a burst compute: bf16 where the device is fast in it, else float32."""

from __future__ import annotations

from pathlib import Path

import torch

from vfe.device import choose_dtype
from vfe.models.lite import LiteModel
from vfe.weights.lite import load_lite_model


def fast_autocast(device: torch.device) -> torch.autocast:
    """Return autocast to bf16, or none where float32 is faster: a CPU with AVX2 alone takes minutes for seconds."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_dtype("auto", device) == torch.bfloat16)


def fast_restorer(path: Path) -> LiteModel:
    """Load a lite file to restore on the CPU, in the format that is fastest there. Raises VFEError where it is none."""
    cpu = torch.device("cpu")
    return load_lite_model(path, cpu, torch.float32).fold(choose_dtype("auto", cpu))
