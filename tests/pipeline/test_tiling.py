"""Plans of tiles and windows: they cover, stay in bounds, are even, and their weights make a partition of unity."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from vfe.pipeline.tiling import fade_weights, plan_spans


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("length", [1, 5, 20, 21, 64, 97, 333])
@pytest.mark.parametrize(("size", "overlap"), [(20, 0), (20, 4), (21, 10), (64, 8)])
def test_spans_cover_evenly_and_overlap_enough(length: int, size: int, overlap: int, multiple: int) -> None:
    length, size, overlap = length * multiple, size * multiple, overlap * multiple
    spans = plan_spans(length, size, overlap, multiple)
    assert spans[0].start == 0
    assert spans[-1].stop == length
    widths = {span.stop - span.start for span in spans}
    assert len(widths) == 1
    assert max(widths) <= size
    for former, latter in pairwise(spans):
        assert overlap <= former.stop - latter.start < size
        assert latter.start % multiple == 0
    total = torch.zeros(length)
    for index, span in enumerate(spans):
        weight = fade_weights(spans, index)
        assert (weight > 0).all()
        total[span.start : span.stop] += weight
    assert (total > 0).all()


def test_two_neighbours_sum_to_one() -> None:
    spans = plan_spans(60, 40, 20)
    total = torch.zeros(60)
    for index, span in enumerate(spans):
        total[span.start : span.stop] += fade_weights(spans, index)
    assert torch.allclose(total, torch.ones(60))


@pytest.mark.parametrize(("size", "overlap", "multiple"), [(10, 10, 1), (10, -1, 1), (12, 4, 8)])
def test_a_plan_that_cannot_work_is_refused(size: int, overlap: int, multiple: int) -> None:
    with pytest.raises(ValueError):
        plan_spans(64, size, overlap, multiple)
