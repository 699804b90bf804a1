"""The text encoder that the tests of texts share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.tiny_umt5 import official_state


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random weights under the official names."""
    return official_state()


@pytest.fixture
def official(state: dict[str, Tensor], tmp_path: Path) -> Path:
    """The same as a file, called as Wan's authors call it."""
    path = tmp_path / "models_t5_umt5-xxl-enc-bf16.pth"
    torch.save(state, path)
    return path
