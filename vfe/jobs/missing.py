"""The error of an assembly that lacks segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..types import VFEError

_NAMED = 10  # segments that a message names


class SegmentsMissing(VFEError):
    """Segments that are not restored, or whose chunks were damaged, so that there is no whole output."""

    def __init__(self, folder: Path, numbers: Sequence[int], failures: Sequence[Sequence[str]]) -> None:
        """`failures` are the reasons of each segment's tries."""
        self.numbers = tuple(numbers)
        named = ", ".join(map(str, numbers[:_NAMED])) + (" and more" if len(numbers) > _NAMED else "")
        reason = next((f" (the last of {len(tries)} tries: {tries[-1]})" for tries in failures if tries), "")
        which = f"segment {named} is" if len(numbers) == 1 else f"{len(numbers)} segments ({named}) are"
        super().__init__(
            f"{folder}: {which} not restored{reason}",
            command=f"`vfe segment {folder} {numbers[0]}` tries again, `vfe assemble {folder} --allow-gaps` passes the "
            "source through there",
        )
