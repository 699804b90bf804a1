"""The optimizers of a stage for minutes: AdamW, and for the DiT's hidden matrices Muon where it is asked for.

Muon (Jordan et al. 2024) makes all singular values of a step alike. Its steps are scaled so that they are as large as
AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), so both take the same rate.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from ..run.optim import OptimConfig
from ..run.stage import TrainableModule

MUON_MOMENTUM = 0.95


def optimizers_of(module: TrainableModule, config: OptimConfig, *, muon: bool) -> list[torch.optim.Optimizer]:
    """The optimizers over the trained weights, each at the module's rate; only matrices and kernels have weight decay.

    With `muon` the second of two has the matrices of the DiT's blocks.
    """
    groups: dict[tuple[float, bool], list[Tensor]] = defaultdict(list)
    matrices: dict[float, list[Tensor]] = defaultdict(list)
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        if muon and parameter.ndim == 2 and ".blocks." in name:
            matrices[module.rate_of(name)].append(parameter)
        else:
            groups[module.rate_of(name), parameter.ndim > 1].append(parameter)
    listed = [
        {"params": values, "scale": scale, "weight_decay": config.weight_decay if decays else 0.0}
        for (scale, decays), values in groups.items()
    ]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(listed, lr=config.lr, betas=config.betas, fused=len(listed) > 0)
    ]
    if matrices:
        found.append(
            torch.optim.Muon(
                [{"params": values, "scale": scale} for scale, values in matrices.items()],
                lr=config.lr,
                weight_decay=config.weight_decay,
                momentum=MUON_MOMENTUM,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return found
