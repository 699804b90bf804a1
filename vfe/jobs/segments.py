"""A clip is divided into segments: at cuts where one is near, else where a segment is long enough."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Stretch

_NEAR = 1 / 3  # of a segment: how much shorter or longer it may be to end at a cut


def divided(frames: int, cuts: Sequence[int], target: int) -> tuple[Stretch, ...]:
    """Return stretches of about `target` frames that follow each other from 0 to `frames`.

    `cuts` are the first frames of shots. Nothing depends on where segments end but how much is restored twice: at a cut
    no face is followed on.
    """
    stretches, start = [], 0
    while frames - start > target * (1 + _NEAR):
        stop = start + target
        near = [cut for cut in cuts if abs(cut - stop) <= target * _NEAR and start < cut < frames]
        stop = min(near, key=lambda cut: abs(cut - stop), default=stop)
        stretches.append(Stretch(start, stop))
        start = stop
    return (*stretches, Stretch(start, frames))
