"""How clips are cut out of raw videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..types import whole_frames

MaskKind = Literal["oval", "head"]
MASK_KINDS: tuple[MaskKind, ...] = ("oval", "head")


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """What is cut out, and what is not. Raises ValueError for values that make no sense.

    VividFace (section 3.3) has tight boxes, which are a margin of 0; it gives no other number, so the others are our
    own choice.
    """

    side: int = 512
    """The side in pixels of the clips that are written."""
    least_frames: int = 33
    """Clips have 4n+1 frames, as the models take them; shorter ones are left out."""
    most_frames: int = 97
    margin: float = 0.3
    """How much larger the window is than the box around all boxes of the face, as a part of its longer side."""
    least_face: float = 128.0
    """The least size of the face in pixels of the source: the median square root of the area of its box."""
    most_window: float = 3.5
    """The largest side of the window in sizes of the face: beyond it, the face moves too far."""
    steady: float = 0.95
    """The part of a clip's frames on which the face has to be seen."""
    mask: MaskKind = "oval"
    """What masks cover: the oval of the face, or the head with hair and ears."""

    def __post_init__(self) -> None:
        if self.side < 32 or self.side % 8:
            raise ValueError(f"side={self.side}, needed is a multiple of 8 from 32 on")
        for name, frames in (("least_frames", self.least_frames), ("most_frames", self.most_frames)):
            if frames < 1 or frames != whole_frames(frames):
                raise ValueError(f"{name}={frames}, needed is 4n+1, such as {whole_frames(max(frames, 1))}")
        if self.least_frames > self.most_frames:
            raise ValueError(f"least_frames={self.least_frames} is above most_frames={self.most_frames}")
        if not 0 <= self.margin <= 4 or not 0 <= self.least_face or not self.most_window >= 1:
            raise ValueError(f"{self}: needed are a margin from 0 to 4, least_face from 0 and most_window from 1 on")
        if not 0 < self.steady <= 1 or self.mask not in MASK_KINDS:
            raise ValueError(f"steady={self.steady}, mask={self.mask!r}: needed are above 0 to 1, and oval or head")
