"""The number format in which the networks of a burst compute: bf16 where the device is fast in it, else float32."""

from __future__ import annotations

import torch

from vfe.device import choose_dtype


def fast_autocast(device: torch.device) -> torch.autocast:
    """Return autocast to bf16, or none where float32 is faster: a CPU with AVX2 alone takes minutes for seconds."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_dtype("auto", device) != torch.float32)
