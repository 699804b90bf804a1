"""The nodes that take a VIDEO, inside ComfyUI."""

from __future__ import annotations

import pytest

from tests.support.comfy_process import cases, check


@pytest.mark.comfy
@pytest.mark.parametrize("case", cases("video"))
def test_in_comfyui(case: str) -> None:
    check("video", case)
