"""Networks as they are evaluated: in eval mode, without gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Context in which all modules are in eval mode and without gradients; afterwards each is again as it was."""
    training = [module for top in modules for module in top.modules() if module.training]
    for top in modules:
        top.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
