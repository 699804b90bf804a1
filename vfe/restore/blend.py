"""A restored stream shown over the one that it was made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from torch import Tensor


def blend_over(
    frames: Iterable[Tensor],
    restore: Callable[[Iterable[Tensor]], Iterator[Tensor]],
    blend: float,
    lead: int = 0,
) -> Iterator[Tensor]:
    """Yield frame + blend (restored - frame) for what `restore` makes of the frames; bits that it keeps stay.

    Frames wait while it reads ahead, but none where `blend` is 1. The first `lead` frames are only there to be seen:
    it gives nothing for them.
    """
    if blend == 1:
        yield from restore(frames)
        return
    waiting: deque[Tensor] = deque()

    def noted() -> Iterator[Tensor]:
        for number, frame in enumerate(frames):
            if number >= lead:
                waiting.append(frame)
            yield frame

    for restored in restore(noted()):
        yield waiting.popleft().lerp(restored, blend)
