"""What tells machines apart whose pixels would differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.support.small_jobs import stand_in
from tests.support.tiny_lite import tiny_lite
from vfe.jobs.arithmetic import arithmetic_of, computing_with
from vfe.models.dit.folded import FoldedDiT
from vfe.models.dit.int8 import has_fast_int8, quantise
from vfe.pipeline.one_step import OneStepPipeline
from vfe.pipeline.windows import WindowConfig
from vfe.restore.restorer import Restorer


def test_number_formats_are_told_apart() -> None:
    seen = []
    for dtype in (torch.float32, torch.bfloat16):
        pipeline = OneStepPipeline(tiny_lite().fold(dtype))
        seen.append(arithmetic_of(Restorer(pipeline), (64, 48)).dtype)
    assert seen[0] == "fp32"
    assert "bf16" in seen[1]


@pytest.mark.skipif(not has_fast_int8(), reason="this CPU has no fast int8")
def test_int8_is_seen() -> None:
    model = tiny_lite().fold(torch.float32)
    assert isinstance(model.dit, FoldedDiT)
    quantise(model.dit)
    assert arithmetic_of(Restorer(OneStepPipeline(model)), (64, 48)).dtype == "fp32, int8"


def test_differences_are_named() -> None:
    planned = arithmetic_of(stand_in(), (64, 48))
    assert planned.window == WindowConfig(9, 1)
    assert planned.differences(planned) == []
    other = replace(planned, torch="1.0", window=WindowConfig(5, 1))
    assert other.differences(planned) == [
        "window 5 frames with 1 shared instead of 9 frames with 1 shared",
        f"torch 1.0 instead of {planned.torch}",
    ]


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with computing_with(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
