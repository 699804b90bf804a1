"""What the nodes say of what is wrong, inside ComfyUI."""

from __future__ import annotations

import pytest

from tests.support.comfy_process import cases, check


@pytest.mark.comfy
@pytest.mark.parametrize("case", cases("sentences"))
def test_in_comfyui(case: str) -> None:
    check("sentences", case)
