"""One frame of a source, and a picture of which it can be made. H W frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from torch import Tensor

from .photo.tags import NO_TAGS, PhotoTags
from .stored import Stored


@dataclass(frozen=True)
class Frame:
    """One frame as it is shown, upright."""

    pixels: Tensor
    """Pixels (3, H, W), float32 in [-1, 1]."""
    alpha: Tensor | None = None
    """Opacity (1, H, W), float32 in [0, 1], where 1 is opaque; None where the source has none."""
    pts: int | None = None
    """When it is shown, in units of `time_base` seconds; None for images."""
    time_base: Fraction | None = None
    name: str | None = None
    """The file name of an image."""
    duration: int | None = None
    """How long it is shown, in units of `time_base`; None where that is unknown."""
    stored: Stored | None = None
    """What it was decoded from, where that is a frame of a video that is not turned, cropped or scaled."""
    tags: PhotoTags = NO_TAGS
    """The colour profile and the camera data of an image, and how the colours of a video are coded."""


class Decoded(NamedTuple):
    """A picture that was decoded, of which a frame is made when somebody asks for it: pixels take longer than the
    rest.
    """

    pts: int | None
    duration: int | None
    time_base: Fraction | None
    frame: Callable[[], Frame]
    checksum: Callable[[], int]
    """A checksum of what the decoder gave."""
    is_sound: bool = True
    """Whether the file had no error until then. What a decoder makes up after one depends on what its memory held."""
