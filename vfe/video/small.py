"""What encoders need for frames that are smaller than their authors thought of, and which frames they do not take.

Found by encoding sizes up to 70x70 and some larger ones under an allocator that checks its blocks, with x265 4.2 and
FFmpeg 8.0. H.264, ProRes, PNG, TIFF, BMP, WebP and JPEG need nothing.
"""

from __future__ import annotations

from ..types import VFEError

_SMALLEST_H265 = 16  # pixels of each side: what x265 takes
_NARROWEST_TREE = 49  # pixels of width
_NARROWEST_SLICES = 32  # pixels of the shorter side


def h265_takes(size: tuple[int, int]) -> bool:
    """Return whether x265 takes frames of `size` (width, height)."""
    return min(size) >= _SMALLEST_H265


def check_h265(size: tuple[int, int]) -> None:
    """Raise VFEError for frames of `size` (width, height) that x265 does not take."""
    if not h265_takes(size):
        width, height = size
        least = f"{_SMALLEST_H265}x{_SMALLEST_H265}"
        raise VFEError(
            f"frames of {width}x{height} are too small for h265, which takes {least} or more; "
            "choose another codec or a larger size"
        )


def h265_parameters(width: int) -> str:
    """Return what x265 must be told for frames of this width; it is empty for nearly all.

    For frames of up to three blocks of 16 pixels, the AVX code of its coding-unit tree (`mbtree_propagate_cost`, which
    works on four blocks or more) writes behind the end of its buffer: that aborts the process, or does worse.
    """
    return "" if width >= _NARROWEST_TREE else "cutree=0"


def ffv1_options(size: tuple[int, int]) -> dict[str, str]:
    """Return the options of FFmpeg's FFV1 encoder for frames of `size` (width, height): slices with checksums.

    It cannot cut all narrow frames into slices, so they are written in the first version of FFV1, which has none.
    """
    return {"level": "1"} if min(size) < _NARROWEST_SLICES else {"level": "3", "slicecrc": "1"}
