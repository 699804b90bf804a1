"""The memory of tensors, for tests that it does not grow."""

from __future__ import annotations

import gc

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor


def tensor_bytes() -> int:
    """Of all dense tensors that Python can reach, each memory once.

    Sparse ones of other tests have none to ask for, nor have those that torch.compile makes to find shapes.
    """
    gc.collect()
    tensors = [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, Tensor) and not isinstance(thing, FakeTensor) and thing.layout == torch.strided
    ]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
