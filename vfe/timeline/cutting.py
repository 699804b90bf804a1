"""The stretches of one source as inputs of their own: the source is looked through once, as far as it is used.

What that learned lies in the folder of the work: a table of the pictures, which proves what is read later, and a small
file for each stretch (`vfe.video.part`). No picture is copied.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ..files.fingerprint import fingerprint
from ..types import Progress, Stretch, VFEError
from ..video.errors import reading, writing
from ..video.frame_table import FrameTable
from ..video.part import SUFFIX, Part, read_table, write_part, write_table
from ..video.read import Source, open_source
from .media import MediaFile

TABLE_SUFFIX = ".frames.json"
_EARLY = Fraction(2, 5)  # of a frame, by which pictures may come late and still be of this frame
_DIGITS = 12


def pictures_of(media: MediaFile, last: int, work: Path, on_progress: Progress) -> Path:
    """Look through a source up to its frame number `last`, and return the file of the table of its pictures.

    What an earlier run learned counts. Raises VFEError for what cannot be read or written.
    """
    with reading(media.path):
        digest = fingerprint(media.path)
    path = work / f"{media.path.stem[:40]}-{digest[:_DIGITS]}{TABLE_SUFFIX}"
    if path.exists():
        table, is_all = read_table(path)
        if is_all or _slot(table, len(table) - 1, media.fps) > last + 1:
            return path
    with open_source(media.path) as source:
        table, is_all = _looked_through(source, last, media.fps, on_progress)
    with writing(path):
        write_table(path, table, is_all)
    return path


def part_of(media: MediaFile, stretch: Stretch, table: Path, timecode: Callable[[int], str | None]) -> Path:
    """Return the file that stands for a stretch of a source; `timecode` gives that of a frame.

    Raises VFEError where the source ends before, and where the file cannot be written.
    """
    pictures, _ = read_table(table)
    start, stop = _pictures_in(pictures, stretch, media.fps)
    if stop <= start:
        raise VFEError(f"{media.path}: ends before frame {stretch.start}")
    with reading(media.path):
        digest = fingerprint(media.path)
    part = Part(
        source=str(media.path),
        fingerprint=digest,
        table=table.name,
        start=start,
        stop=stop,
        slot=stretch.start,
        rate=(media.fps.numerator, media.fps.denominator),
        timecode=timecode(stretch.start),
    )
    named = hashlib.sha256(f"{digest} {media.path}".encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    path = table.with_name(f"{media.path.stem[:40]}-{named}.{stretch.start}-{stretch.stop - 1}{SUFFIX}")
    with writing(path):
        write_part(path, part)
    return path


def _looked_through(source: Source, last: int, fps: Fraction, on_progress: Progress) -> tuple[FrameTable, bool]:
    """Return the pictures of a source until the one after frame `last`, and whether they are all."""
    checksums: list[int] = []
    pts: list[int] = []
    durations: list[int] = []
    unit, sound, is_all = None, None, True
    for decoded in source.decoded():
        if decoded.pts is None or decoded.duration is None or decoded.time_base is None:
            raise VFEError(f"{source.info.path}: has frames without times; convert it to .mov or .mkv first")
        if sound is None and not decoded.is_sound:
            sound = len(checksums)
        checksums.append(decoded.checksum())
        pts.append(decoded.pts)
        durations.append(decoded.duration)
        unit = decoded.time_base
        on_progress(len(checksums), min(last + 1, source.info.frames or last + 1))
        if (pts[-1] - pts[0]) * unit * fps > last + 2:
            is_all = False
            break
    if unit is None:
        raise VFEError(f"{source.info.path}: no frame could be decoded")
    return FrameTable(tuple(checksums), tuple(pts), tuple(durations), unit, sound), is_all


def _slot(table: FrameTable, number: int, fps: Fraction) -> Fraction:
    """Return when a picture is shown, in frames of the source's rate since its first picture."""
    assert table.pts is not None and table.time_base is not None
    return (table.pts[number] - table.pts[0]) * table.time_base * fps


def _pictures_in(table: FrameTable, stretch: Stretch, fps: Fraction) -> tuple[int, int]:
    """Return the numbers of the pictures that are shown during the frames of a stretch: the first, and one past the
    last."""

    def begun(place: Fraction) -> int:
        """Return how many pictures are shown from a place on or before."""
        return bisect_right(range(len(table)), place + _EARLY, key=lambda number: _slot(table, number, fps))

    assert table.durations is not None and table.time_base is not None
    end = _slot(table, len(table) - 1, fps) + table.durations[-1] * table.time_base * fps
    if end < stretch.start + _EARLY:
        return 0, 0
    return max(0, begun(Fraction(stretch.start)) - 1), begun(Fraction(stretch.stop - 1))
