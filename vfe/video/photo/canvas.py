"""Tiles are put together to one picture, plane by plane, so that no value changes."""

# H W picture, h w tile

from __future__ import annotations

from collections.abc import Iterable

from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from ...types import VFEError
from ..colour import layout_of
from ..planes import MAX_SIDE, plane_view


def join(tiles: Iterable[VideoFrame], columns: int, size: tuple[int, int]) -> VideoFrame:
    """Return the picture of `size` (width, height) whose tiles come row by row.

    Tiles may reach over its right and lower edge. Raises VFEError where they differ in size or format, or do not fill
    the picture.
    """
    width, height = size
    if max(size) > MAX_SIDE:
        raise VFEError(f"its picture is {width}x{height}; at most {MAX_SIDE} pixels a side are supported")
    canvas: VideoFrame | None = None
    alike: tuple[int, int, str] | None = None
    row = column = 0
    for number, tile in enumerate(tiles):
        found = (tile.width, tile.height, tile.format.name)
        if canvas is None:
            canvas, alike = _canvas(tile, size), found
        if found != alike:
            raise VFEError("the tiles of its picture differ in size or format; convert it to PNG first")
        row, column = divmod(number, columns)
        _put(tile, canvas, (row * tile.height, column * tile.width))
    if canvas is None or alike is None or (row + 1) * alike[1] < height or (column + 1) * alike[0] < width:
        raise VFEError("the tiles of its picture do not fill it; needed is a whole file")
    return canvas


def _canvas(tile: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    if not VideoFormat(tile.format.name).is_planar and len(tile.planes) > 1:
        raise VFEError(f"tiles of {tile.format.name} are not supported; convert it to PNG first")
    canvas = VideoFrame(*size, tile.format.name)
    canvas.colorspace, canvas.color_range = tile.colorspace, tile.color_range
    return canvas


def _put(tile: VideoFrame, canvas: VideoFrame, corner: tuple[int, int]) -> None:
    """Copy a tile to the `corner` (y, x) of the canvas; what reaches over an edge is cut."""
    subsampled = layout_of(tile.format.name).chroma
    for index in range(len(tile.planes)):
        right, down = subsampled if index in (1, 2) else (0, 0)
        y, x = corner[0] >> down, corner[1] >> right
        source, target = plane_view(tile, index), plane_view(canvas, index)[y:, x:]
        height, width = min(len(source), len(target)), min(source.shape[1], target.shape[1])
        target[:height, :width] = source[:height, :width]
