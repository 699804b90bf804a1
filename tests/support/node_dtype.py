"""The dtype in which `vfe` computes as the nodes do, where both choose for themselves."""

from __future__ import annotations

from vfe.device import cpu_has_fast_bf16


def dtype_of_nodes() -> str:
    """Return auto where that is bf16; elsewhere the command takes int8 for linear layers, the nodes do not."""
    return "auto" if cpu_has_fast_bf16() else "fp32"
