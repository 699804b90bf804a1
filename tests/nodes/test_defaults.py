"""The defaults of the nodes beside those of the command, inside ComfyUI."""

from __future__ import annotations

import pytest

from tests.support.comfy_process import cases, check


@pytest.mark.comfy
@pytest.mark.parametrize("case", cases("defaults"))
def test_in_comfyui(case: str) -> None:
    check("defaults", case)
