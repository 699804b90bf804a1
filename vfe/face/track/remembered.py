"""Eyes that remember what nets answered: a clip that is looked through again after a kill need not be seen by the nets.

What is remembered of a face is a row of 64-bit floats, in which 32-bit ones are exact: its score, box and landmarks, of
a sighting its matrix too, and of a meeting its look; then the regions, a byte for each pixel of them.

F faces, S side of a region as it is kept, K parts of a look.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ...files.answer_log import AnswerLog
from ...video.errors import writing
from ..detect.detector import Face
from .appearance import APPEARANCE_CELLS, Appearance
from .eyes import Eyes, Meeting, Sighting
from .tracks import MASK_SIDE

_FACE = 1 + 4 + 5 * 2  # numbers: score, box, landmarks
_SIGHTING = _FACE + 2 * 3  # and the matrix
_PARTS = APPEARANCE_CELLS**2
_MEETING = _SIGHTING + 4 * _PARTS  # and the colours of the parts, and how far they are inside
_MOST_PIXELS = 1e7  # a coordinate that is larger is none

T = TypeVar("T")


class FaceMemory:
    """The answers on the faces of a source, and the checksums of its frames, which the questions name."""

    def __init__(self, path: Path, log: AnswerLog) -> None:
        """`path` is the file of the log."""
        self._path = path
        self._log = log
        self._checksums = array("Q")

    def note(self, checksum: int) -> None:
        """Take the checksum of the next frame of the source, before anything is asked about it."""
        self._checksums.append(checksum)

    def question(self, kind: str, number: int, faces: Sequence[Face] = ()) -> bytes:
        """Return what tells a question from all others: what is asked, about which frame, and about which faces."""
        return f"{kind} {self._checksums[number]} ".encode() + _rows([_numbers_of(face) for face in faces])

    def recall(self, question: bytes, read: Callable[[bytes], T]) -> T | None:
        """Return what was answered; None where that is not known. Raises VFEError where the file cannot be read."""
        with writing(self._path):  # what is not believed is cut off
            return self._log.recall(question, read)

    def keep(self, question: bytes, answer: bytes) -> None:
        """Keep an answer. Raises VFEError where the disk is full, or cannot be written to."""
        with writing(self._path):
            self._log.keep(question, answer)


class RememberingEyes:
    """Answers come from the memory, and where it has none from other eyes. Raises VFEError as the memory does."""

    def __init__(self, eyes: Eyes, memory: FaceMemory) -> None:
        self._eyes = eyes
        self._memory = memory

    def detect(self, number: int, frame: Tensor) -> list[Face]:
        """Return the faces of the whole frame."""
        question = self._memory.question("detect", number)
        return self._answer(question, lambda: self._eyes.detect(number, frame), _faces_bytes, _faces)

    def follow(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Sighting]:
        """Return known faces as they are on this frame; none of none, for which no memory is needed."""
        if not faces:
            return []
        question, read = self._memory.question("follow", number, faces), partial(_sightings, count=len(faces))
        return self._answer(question, lambda: self._eyes.follow(number, frame, faces), _sightings_bytes, read)

    def meet(self, number: int, frame: Tensor, faces: Sequence[Face]) -> list[Meeting]:
        """Return new faces as they are on this frame; none of none."""
        if not faces:
            return []
        question, read = self._memory.question("meet", number, faces), partial(_meetings, count=len(faces))
        return self._answer(question, lambda: self._eyes.meet(number, frame, faces), _meetings_bytes, read)

    def _answer(
        self, question: bytes, ask: Callable[[], T], to_bytes: Callable[[T], bytes], read: Callable[[bytes], T]
    ) -> T:
        known = self._memory.recall(question, read)
        if known is not None:
            return known
        answer = ask()
        self._memory.keep(question, to_bytes(answer))
        return answer


def _numbers_of(face: Face) -> list[float]:
    return [face.score, *face.box.tolist(), *face.landmarks.flatten().tolist()]


def _numbers_of_sighting(seen: Sighting) -> list[float]:
    return [*_numbers_of(seen.face), *seen.matrix.flatten().tolist()]


def _numbers_of_meeting(met: Meeting) -> list[float]:
    look = [*met.look.colours.flatten().tolist(), *met.look.inside.tolist()]
    return [*_numbers_of_sighting(met.sighting), *look]


def _rows(rows: Sequence[Sequence[float]]) -> bytes:
    return np.asarray(rows, "<f8").tobytes()


def _faces_bytes(faces: list[Face]) -> bytes:
    return _rows([_numbers_of(face) for face in faces])


def _sightings_bytes(sightings: list[Sighting]) -> bytes:
    return _rows([_numbers_of_sighting(seen) for seen in sightings]) + _masks_bytes(sightings)


def _meetings_bytes(meetings: list[Meeting]) -> bytes:
    return _rows([_numbers_of_meeting(met) for met in meetings]) + _masks_bytes([met.sighting for met in meetings])


def _masks_bytes(sightings: list[Sighting]) -> bytes:
    return b"".join(seen.mask.numpy().tobytes() for seen in sightings)


def _faces(data: bytes) -> list[Face]:
    """Read `_faces_bytes`. Raises ValueError, as all readers do, for bytes that are no such answer."""
    return [_face(row) for row in _read_rows(data, len(data) // (_FACE * 8), _FACE)]


def _sightings(data: bytes, count: int) -> list[Sighting]:
    split = count * _SIGHTING * 8
    rows, masks = _read_rows(data[:split], count, _SIGHTING), _read_masks(data[split:], count)
    return [_sighting(row, mask) for row, mask in zip(rows, masks, strict=True)]


def _meetings(data: bytes, count: int) -> list[Meeting]:
    split = count * _MEETING * 8
    rows, masks = _read_rows(data[:split], count, _MEETING), _read_masks(data[split:], count)
    return [Meeting(_sighting(row, mask), _look(row)) for row, mask in zip(rows, masks, strict=True)]


def _read_rows(data: bytes, count: int, width: int) -> Tensor:
    """(count, width) float64."""
    if len(data) != count * width * 8:
        raise ValueError(f"{len(data)} bytes, needed are those of {count} rows of {width} numbers")
    rows = torch.from_numpy(np.frombuffer(data, "<f8").astype(np.float64)).reshape(count, width)
    if not bool((rows.abs() <= _MOST_PIXELS).all()) or not bool(((rows[:, 0] >= 0) & (rows[:, 0] <= 1)).all()):
        raise ValueError("numbers that no net gives")
    return rows


def _read_masks(data: bytes, count: int) -> Tensor:
    """(count, S, S) uint8."""
    if len(data) != count * MASK_SIDE**2:
        raise ValueError(f"{len(data)} bytes, needed are {count} regions")
    return torch.from_numpy(np.frombuffer(data, np.uint8).copy()).reshape(count, MASK_SIDE, MASK_SIDE)


def _face(row: Tensor) -> Face:
    return Face(row[1:5].float(), float(row[0]), row[5:_FACE].float().reshape(5, 2))


def _sighting(row: Tensor, mask: Tensor) -> Sighting:
    return Sighting(_face(row), mask, row[_FACE:_SIGHTING].float().reshape(2, 3))


def _look(row: Tensor) -> Appearance:
    look = row[_SIGHTING:].float().reshape(4, _PARTS)
    return Appearance(look[:3], look[3])
