"""x264 settings that make its output a function of its input.

On CPUs with AVX-512, x264's macroblock-tree code reads memory that it never wrote: the same frames give other bytes
from run to run. Its AVX2 code does not, and gives the bytes of every other CPU.
"""

from __future__ import annotations

import torch

AVX2_SETS = "MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI1,BMI2,AVX2"  # every CPU with AVX-512 has them all


def reproducible_parameters() -> str:
    """Return the value of libx264's `x264-params`; it is empty where the output is reproducible as it is."""
    return f"asm={AVX2_SETS}" if "AVX512" in torch.backends.cpu.get_cpu_capability() else ""


def reproducible_options() -> dict[str, str]:
    """Return the encoder options of libx264; there are none where the output is reproducible as it is."""
    parameters = reproducible_parameters()
    return {"x264-params": parameters} if parameters else {}
