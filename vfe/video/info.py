"""What a video or image file is, before any of it is restored. It imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from .colour import PixelLayout, layout_of
from .crop import NO_CROP, Crop
from .hdr import NO_HDR, Hdr
from .orient import Orientation

FirstField = Literal["top", "bottom"]


@dataclass(frozen=True)
class VideoInfo:
    """One video stream, or a set of images, and what travels with it. Sizes are as displayed, after any rotation."""

    path: Path
    kind: str
    """It is "video", "images" (a folder or a glob) or "image"."""
    width: int
    height: int
    frames: int | None
    """The frames that the file claims, or duration times rate; None where unknown.

    This is good enough for a progress bar, but not exact.
    """
    rate: Fraction
    """The mean number of frames per second; variable rates are in the frames' own times."""
    duration: float | None
    """The length in seconds; None where unknown."""
    codec: str
    pix_fmt: str
    bit_depth: int
    has_alpha: bool
    rotation: int
    """The degrees clockwise by which the stored frames are turned to be upright: 0, 90, 180 or 270."""
    sample_aspect_ratio: Fraction
    """The width of a displayed pixel over its height; 1 for square pixels and where nothing is said."""
    color_range: int
    """The range: 1 is limited, 2 is full.

    It is guessed as players do where the file does not say. So is `color_space`, the YUV matrix.
    """
    color_space: int
    color_primaries: int
    color_transfer: int
    """Primaries and transfer are code points of ISO/IEC 23091-2; 2 is unspecified."""
    interlaced: bool
    container: str
    time_base: Fraction
    audio: tuple[str, ...]
    subtitles: tuple[str, ...]
    orientation: Orientation
    images: tuple[Path, ...]
    """The image files in order; empty for a video."""
    crop: Crop = NO_CROP
    """What is cut off the stored frames before they are turned."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says about itself, by the names that FFmpeg gives."""
    track_metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says about the track of its video."""
    hdr: Hdr = NO_HDR
    """The mastering display and the light levels of HDR10."""
    chroma_location: str | None = None
    """Where the chroma samples of Y4M in 4:2:0 lie, as encoders of FFmpeg name it; None where nothing is said."""
    first_field: FirstField | None = None
    """Which field of interlaced Y4M comes first; None for progressive frames, other formats, and where nothing is
    said."""
    stream: int | None = None
    """The number of its stream in the file; None for images."""
    is_piped: bool = False
    """Whether it comes from standard input: frames alone, and no file that can be opened again."""
    is_part: bool = False
    """Whether it is a part of a video, which has the pictures of the video without its sound."""

    @property
    def stored_size(self) -> tuple[int, int]:
        """The (width, height) of the stored frames."""
        width, height = self.orientation.upright_size((self.width, self.height))
        return width + self.crop.left + self.crop.right, height + self.crop.top + self.crop.bottom

    @property
    def layout(self) -> PixelLayout:
        """How the stored frames hold their pixels."""
        return layout_of(self.pix_fmt)

    def describe(self) -> list[str]:
        """Return the lines of text of `vfe info`."""
        count = "unknown number of frames" if self.frames is None else f"{self.frames} frames"
        length = "" if self.duration is None else f", {self.duration:.2f} s"
        extras = [f"turned {self.rotation} degrees"] if self.rotation else []
        extras += [f"pixel aspect {self.sample_aspect_ratio}"] if self.sample_aspect_ratio != 1 else []
        extras += ["cropped by its container"] if self.crop != NO_CROP else []
        extras += ["alpha"] if self.has_alpha else []
        extras += ["interlaced"] if self.interlaced else []
        lines = [
            f"{self.path}: {self.kind}, {self.container}",
            f"  {self.width}x{self.height}, {count}, {float(self.rate):.3f} frames/s{length}",
            f"  {self.codec}, {self.pix_fmt}, {self.bit_depth} bit{''.join(', ' + e for e in extras)}",
            f"  colour: range {'full' if self.color_range == 2 else 'limited'}, matrix {self.color_space}, "
            f"primaries {self.color_primaries}, transfer {self.color_transfer}",
        ]
        lines += [f"  audio: {text}" for text in self.audio]
        return lines + [f"  subtitles: {text}" for text in self.subtitles]
