"""What the numbers of a frame mean: matrix, range, depth and chroma, in the code points of FFmpeg and ISO/IEC
23091-2.
"""

from __future__ import annotations

from dataclasses import dataclass

from av.video.format import VideoFormat

RGB, BT709, UNSPECIFIED, FCC, BT601_625, BT601_525, SMPTE240M, BT2020 = 0, 1, 2, 4, 5, 6, 7, 9
LIMITED, FULL = 1, 2

# Weights of red and blue in luma; the code points that are missing are read, and written back, as if they were BT.2020.
_LUMA_WEIGHTS = {
    BT709: (0.2126, 0.0722),
    FCC: (0.30, 0.11),
    BT601_625: (0.299, 0.114),
    BT601_525: (0.299, 0.114),
    SMPTE240M: (0.212, 0.087),
    BT2020: (0.2627, 0.0593),
}
# Above this size players take an untagged video for BT.709 and below it for BT.601 (the rule of mpv).
_SD_WIDTH, _SD_HEIGHT = 1280, 576


@dataclass(frozen=True)
class PixelLayout:
    """How a pixel format stores a frame, read from FFmpeg's own description of the format."""

    name: str
    family: str  # "yuv", "rgb" or "gray"
    depth: int  # bits of the first component
    alpha: bool
    chroma: tuple[int, int]  # log2 of the chroma subsampling in x and in y

    @property
    def full_by_name(self) -> bool:
        """Whether the format is full range whatever the stream says, as the old yuvj formats are."""
        return self.name.startswith("yuvj")


def layout_of(pix_fmt: str) -> PixelLayout:
    """Describe a pixel format such as "yuv420p10le"."""
    probe = VideoFormat(pix_fmt, 64, 64)
    components = probe.components
    family = "rgb" if probe.is_rgb or probe.has_palette else "gray" if len(components) < 3 else "yuv"
    chroma = (0, 0)
    if family == "yuv":
        chroma = ((64 // components[1].width).bit_length() - 1, (64 // components[1].height).bit_length() - 1)
    return PixelLayout(pix_fmt, family, components[0].bits, any(c.is_alpha for c in components), chroma)


def matrix_weights(matrix: int) -> tuple[float, float]:
    """Return the luma weights of red and blue for the code point of a matrix."""
    return _LUMA_WEIGHTS.get(matrix, _LUMA_WEIGHTS[BT2020])


def swscale_matrix(matrix: int) -> int:
    """Return the code point that makes swscale use `matrix_weights(matrix)`."""
    return matrix if matrix in _LUMA_WEIGHTS else BT2020


def guess_matrix(layout: PixelLayout, tagged: int, size: tuple[int, int], still: bool) -> int:
    """Return the matrix of a stream: the tag where there is one, else what players assume for this `size` (width,
    height).
    """
    if layout.family == "rgb":
        return RGB
    if tagged not in {RGB, UNSPECIFIED}:
        return tagged
    if still:
        return BT601_625  # JPEG and WebP know no other
    return BT709 if size[0] >= _SD_WIDTH or size[1] > _SD_HEIGHT else BT601_525


def guess_range(layout: PixelLayout, tagged: int) -> int:
    """Return the range of a stream: the tag where there is one, else limited for YUV, and full for RGB and grey."""
    if layout.full_by_name or layout.family == "rgb":
        return FULL
    if tagged in {LIMITED, FULL}:
        return tagged
    return FULL if layout.family == "gray" else LIMITED
