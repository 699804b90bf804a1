"""The columns of a survey as tensors, exact to the bit: those of the table of frames, and those of the faces.

n frames of the source, F faces, N frames of all faces one after the other, S side of a region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor

from ..face.track.tracks import FaceTrack, FaceTracks, check_shots
from ..tensor_io.source import TensorSource
from ..types import VFEError
from ..video.frame_table import FrameTable

MAX_COORDINATE = 1e6  # pixels: beyond all frames, and where float32 still tells tenths of a pixel apart
_OF_FRAMES = {"checksums": torch.int64, "pts": torch.int64, "durations": torch.int64}
_OF_FACES = {
    "boxes": ((4,), torch.float32),
    "landmarks": ((5, 2), torch.float32),
    "scores": ((), torch.float32),
    "seen": ((), torch.bool),
    "presence": ((), torch.float32),
    "masks": (("S", "S"), torch.uint8),
    "matrices": ((2, 3), torch.float32),
}


@dataclass(frozen=True)
class FacesHead:
    """What is said once of all faces: the size of the frames in which they are, and the first frames of shots."""

    width: int
    height: int
    cuts: tuple[int, ...]


def frame_columns(table: FrameTable) -> dict[str, Tensor]:
    """Return the columns (n,) of a table: `checksums`, and `pts` and `durations` where frames have times."""
    columns = {name: getattr(table, name) for name in _OF_FRAMES}
    return {name: torch.tensor(column) for name, column in columns.items() if column is not None}


def face_columns(tracks: FaceTracks) -> dict[str, Tensor]:
    """Return `faces` (F, 3), number, first frame and frames of each, and the columns of all of them (N, ...)."""
    rows = [(track.number, track.start, len(track.boxes)) for track in tracks.tracks]
    columns = {"faces": torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)}
    if rows:
        columns |= {name: torch.cat([getattr(track, name) for track in tracks.tracks]).cpu() for name in _OF_FACES}
    return columns


def read_table(source: TensorSource, time_base: Fraction | None, sound: int | None) -> FrameTable:
    """Return the table of the columns in a file. Raises VFEError where they make none."""
    columns = {name: _column(source, name, ("n",), dtype) for name, dtype in _OF_FRAMES.items() if name in source}
    if "checksums" not in columns:
        raise VFEError("it has no checksums of frames")
    if any(int(column.min()) < 0 for name, column in columns.items() if name != "pts" and len(column)):
        raise VFEError("a checksum or a duration is below 0")
    if "pts" in columns and bool((columns["pts"].diff() < 0).any()):
        raise VFEError("the times of its frames do not increase")
    values = {name: tuple(column.tolist()) for name, column in columns.items()}
    try:
        return FrameTable(**values, time_base=time_base, sound=sound)
    except ValueError as error:
        raise VFEError(str(error)) from error


def read_tracks(source: TensorSource, head: FacesHead, frames: int) -> FaceTracks:
    """Return the faces of a source of so many frames from the columns in a file; VFEError where they make none."""
    rows = _column(source, "faces", ("F", 3), torch.int64).tolist()
    counts = [count for _, _, count in rows]
    if any(number < 1 or start < 0 or count < 1 for number, start, count in rows):
        raise VFEError("a face has a number or a count of frames below 1, or a first frame below 0")
    if len({number for number, _, _ in rows}) < len(rows):
        raise VFEError("two faces have the same number")
    columns = {
        name: _column(source, name, ("N", *shape), dtype).split(_lengths(source, name, counts))
        for name, (shape, dtype) in _OF_FACES.items()
        if rows
    }
    tracks = []
    for index, (number, start, _) in enumerate(rows):
        values = {name: parts[index].clone() for name, parts in columns.items()}
        _check_values(number, values)
        tracks.append(FaceTrack(number=number, start=start, **values))
    return _of_clip(tuple(tracks), head, frames)


def _of_clip(tracks: tuple[FaceTrack, ...], head: FacesHead, frames: int) -> FaceTracks:
    edges = (0, *head.cuts, frames)
    if any(later <= earlier for earlier, later in pairwise(edges)):
        raise VFEError(f"cuts at {list(head.cuts)[:9]} do not increase within {frames} frames")
    read = FaceTracks(width=head.width, height=head.height, frames=frames, cuts=head.cuts, tracks=tracks)
    check_shots(read)
    return read


def _lengths(source: TensorSource, name: str, counts: list[int]) -> list[int]:
    if sum(counts) != source.shape(name)[0]:
        raise VFEError(f"{name} are of {source.shape(name)[0]} frames of faces, needed {sum(counts)}")
    return counts


def _check_values(number: int, values: dict[str, Tensor]) -> None:
    """Raise VFEError for what no face is like."""
    within = all(bool((values[name].abs() <= MAX_COORDINATE).all()) for name in ("boxes", "landmarks", "matrices"))
    shares = all(bool(((values[name] >= 0) & (values[name] <= 1)).all()) for name in ("scores", "presence"))
    if not within or not shares or not bool((torch.linalg.det(values["matrices"][:, :, :2]).abs() > 0).all()):
        raise VFEError(f"face {number} has coordinates, scores or a region that no face has")


def _column(source: TensorSource, name: str, shape: Sequence[int | str], dtype: torch.dtype) -> Tensor:
    """Read a column, whose shape has the numbers of `shape`, and any one for each of its letters."""
    if name not in source:
        raise VFEError(f"it has no {name}")
    got = source.shape(name)
    sizes = dict(zip(shape, got, strict=False))
    fits = len(got) == len(shape) and [sizes[need] if isinstance(need, str) else need for need in shape] == [*got]
    if not fits or source.dtype(name) != dtype or min(got[1:], default=1) < 1:
        raise VFEError(f"{name} is {got} in {source.dtype(name)}, needed ({', '.join(map(str, shape))}) in {dtype}")
    return source.get(name)
