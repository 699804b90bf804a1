"""Even samples of streams whose length nobody knows."""

from __future__ import annotations

import pytest

from vfe.report.even import EvenSample


@pytest.mark.parametrize("length", [0, 1, 5, 9, 64, 1000])
def test_what_is_kept_is_even_and_no_more_than_asked_for(length: int) -> None:
    sample: EvenSample[str] = EvenSample(8, every=2)
    for number in range(length):
        if sample.wants(number):
            sample.add(number, f"frame {number}")
    numbers = [number for number, _ in sample.kept]
    assert numbers == list(range(0, length, sample.every))
    assert len(numbers) <= 8
    assert length < 16 or len(numbers) >= 4
    assert all(thing == f"frame {number}" for number, thing in sample.kept)


def test_what_is_not_wanted_early_is_not_wanted_later() -> None:
    """A frame that was not kept as it came cannot be asked for when it is written."""
    sample: EvenSample[int] = EvenSample(4)
    wanted_early = {number for number in range(100) if sample.wants(number)}
    for number in range(50):
        if sample.wants(number):
            sample.add(number, number)
    assert {number for number in range(100) if sample.wants(number)} < wanted_early
