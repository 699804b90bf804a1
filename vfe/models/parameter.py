"""Parameters that begin with random values, but on the meta device without them.

There torch would first import sympy and its compiler to draw no number at all, a second of each start.
"""

from __future__ import annotations

import torch
from torch import nn


def normal_parameter(*shape: int, std: float = 1.0) -> nn.Parameter:
    """Return a parameter of normal values with mean 0."""
    values = torch.empty(*shape)
    return nn.Parameter(values if values.is_meta else values.normal_(std=std))


def uniform_parameter(*shape: int, most: float) -> nn.Parameter:
    """Return a parameter of values that are uniform from -`most` to `most`."""
    values = torch.empty(*shape)
    return nn.Parameter(values if values.is_meta else values.uniform_(-most, most))
