"""The nodes with a tiny random Wan restorer, inside ComfyUI."""

from __future__ import annotations

import pytest

from tests.support.comfy_process import cases, check


@pytest.mark.comfy
@pytest.mark.parametrize("case", cases("wan"))
def test_in_comfyui(case: str) -> None:
    check("wan", case)
