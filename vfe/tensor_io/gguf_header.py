"""The header of a GGUF file, read by code of our own: within bounds, and without mapping the file.

The gguf package's reader, to which the tests compare this one, makes an object of every number of an array and trusts
its length: a file of 60 bytes can keep it busy for ever.

The format (version 2 and 3, little-endian): "GGUF", version, numbers of tensors and of entries; the entries, each a
key, a type and a value; a name, axes, type and offset for each tensor; the values, aligned.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..types import VFEError
from .source import MAX_TENSOR_NAME, printable

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER = 16 << 20  # bytes: that of Wan's 1.3B takes 0.07 MB
MAX_COUNT = 1 << 16  # tensors, or entries
MAX_AXES = 8
ALIGNMENT = 32  # bytes, where no entry says otherwise
ARCHITECTURE = "general.architecture"
ALIGNMENT_ENTRY = "general.alignment"
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
"""With the name of a tensor behind it: its shape, where it was arranged otherwise to be quantised."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

Value = str | int | float | bool | tuple[int | float | bool, ...]


@dataclass(frozen=True)
class TensorNote:
    """What the header says of one tensor."""

    name: str
    shape: tuple[int, ...]
    """Outermost first: the file has them the other way round."""
    type: int
    """The number of its ggml type."""
    start: int
    """The byte of the file at which its values start."""


@dataclass(frozen=True)
class Header:
    """What a GGUF file says before its values."""

    entries: dict[str, Value] = field(default_factory=dict)
    """The metadata, without arrays of texts and of arrays."""
    tensors: tuple[TensorNote, ...] = ()


def read_header(path: Path) -> Header:
    """Read the header of a file that starts with `MAGIC`; VFEError where it is truncated, damaged or beyond bounds."""
    with path.open("rb") as file:
        cursor = _Cursor(path, file, path.stat().st_size)
        cursor.take(len(MAGIC))
        version = cursor.number("I")
        if version not in VERSIONS:
            raise VFEError(
                f"{path}: a GGUF file of version {version}, or of another byte order; needed version 2 or 3, which is "
                "little-endian"
            )
        tensors, entries = cursor.count("tensors"), cursor.count("entries")
        kept = dict(cursor.entry() for _ in range(entries))
        notes = [cursor.tensor() for _ in range(tensors)]
        alignment = kept.get(ALIGNMENT_ENTRY, ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise VFEError(f"{path}: its GGUF alignment is {printable(alignment)}; the file is damaged, get it again")
        values = -(-cursor.at // alignment) * alignment
    placed = tuple(TensorNote(note.name, note.shape, note.type, values + note.start) for note in notes)
    return Header({key: value for key, value in kept.items() if value is not None}, placed)


class _Cursor:
    """Reads a header from its start; every read ends in the file and within `MAX_HEADER`."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path, self.file, self.size = path, file, size
        self.at = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if self.at + count > MAX_HEADER:
            raise VFEError(f"{self.path}: a GGUF header of over {MAX_HEADER} bytes, no more are read; get it again")
        if self.at + count > self.size:
            raise VFEError(f"{self.path}: its GGUF header ends early: truncated or damaged; get the file again")
        self.at += count
        return self.file.read(count)

    def number(self, form: str) -> int:
        """Return the next integer, of a type of `struct`."""
        return int(struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0])

    def count(self, what: str) -> int:
        """Return the number of tensors or entries."""
        count = self.number("Q")
        if count > MAX_COUNT:
            raise VFEError(f"{self.path}: a GGUF file of {count} {what}, at most {MAX_COUNT} are read; get it again")
        return count

    def text(self) -> str:
        """Return the next string."""
        try:
            return self.take(self.number("Q")).decode()
        except UnicodeDecodeError as error:
            raise VFEError(f"{self.path}: its GGUF header is damaged ({error}); get the file again") from error

    def entry(self) -> tuple[str, Value | None]:
        """Return the next key and its value, None for a value that nothing here needs."""
        key = self.text()
        return key, self.value(self.number("I"))

    def value(self, kind: int) -> Value | None:
        """Return the next value of a type of GGUF."""
        if kind in _SCALARS:
            return self.numbers(kind, 1)[0]
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise VFEError(f"{self.path}: its GGUF header has a value of type {kind}: damaged; get the file again")
        element, length = self.number("I"), self.number("Q")
        if element in _SCALARS:
            return self.numbers(element, length)
        if element != _STRING:
            raise VFEError(f"{self.path}: its GGUF header has an array of type {element}: damaged; get the file again")
        for _ in range(length):  # each takes 8 bytes at least, so the bound of the header ends this
            self.take(self.number("Q"))
        return None

    def numbers(self, kind: int, length: int) -> tuple[int | float | bool, ...]:
        """Return the next `length` numbers of a type."""
        form = _SCALARS[kind]
        packed = self.take(length * struct.calcsize(f"<{form}"))
        return struct.unpack(f"<{length}{form}", packed)

    def tensor(self) -> TensorNote:
        """Return the next tensor; its start is still counted from the first value."""
        name, axes = self.text(), self.number("I")
        if len(name) > MAX_TENSOR_NAME or axes > MAX_AXES:
            raise VFEError(f"{self.path}: {printable(name)} has {axes} axes: damaged; get the file again")
        shape = tuple(self.number("Q") for _ in range(axes))
        if math.prod(shape) > self.size * 8:  # no type takes less than a bit for a number
            raise VFEError(f"{self.path}: {printable(name)} is {shape[::-1]}, more than the file holds; get it again")
        return TensorNote(name, shape[::-1], self.number("I"), self.number("Q"))
