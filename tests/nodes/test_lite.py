"""The nodes with the lite restorer, inside ComfyUI."""

from __future__ import annotations

import pytest

from tests.support.comfy_process import cases, check


@pytest.mark.comfy
@pytest.mark.parametrize("case", cases("lite"))
def test_in_comfyui(case: str) -> None:
    check("lite", case)
