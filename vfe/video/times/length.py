"""How long frames are shown: until the next one, whatever the container says of their packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from ..decode import Damage
from ..pyav_compat import frame_duration


def with_lengths(frames: Iterable[VideoFrame], rate: Fraction, damage: Damage) -> Iterator[tuple[VideoFrame, int]]:
    """Yield each frame with how long it is shown, in its time base; one frame is held back. Their times must increase.

    The last frame is shown as in the ffmpeg program: as long as the container says, else as long as the one before it,
    else for one frame of `rate`. What MP4 says of a frame that was reordered is how long its packet waits for the next,
    so there the last frame is shown no longer than the one before it.
    """
    before: VideoFrame | None = None
    length: int | None = None
    for frame in frames:
        if before is not None and before.pts is not None and frame.pts is not None:
            length = frame.pts - before.pts
            yield before, length
        before = frame
    if before is not None:
        yield before, _of_last(before, length, rate, damage.reordered)


def _of_last(frame: VideoFrame, previous: int | None, rate: Fraction, reordered: bool) -> int:
    said = frame_duration(frame)
    if said and previous and reordered:
        return min(said, previous)
    made_up = said == 1 and previous is not None and previous > 2  # FFmpeg says 1 where the container says nothing
    if said and not made_up:
        return said
    return previous or said or max(1, round(1 / (rate * (frame.time_base or 1 / rate))))
