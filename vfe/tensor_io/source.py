"""An open weight file of any layout: its tensors by name, each read when it is asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..quants.block_format import BlockFormat
from ..types import VFEError

MAX_TENSOR_NAME = 400  # characters: the longest in any checkpoint here has 90
FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass(frozen=True)
class PackedRows:
    """How a quantised tensor is stored: each row of its last axis as blocks of a format."""

    form: BlockFormat
    bytes: int
    """The bytes of all blocks."""
    read: Callable[[], Tensor]
    """Reads the blocks onto the CPU: uint8 (..., blocks of a row, bytes of a block)."""
    in_rows: bool = True
    """Whether the tensor is a matrix whose rows those of the blocks are."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file that was not read yet."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]
    """Reads the tensor onto the CPU, with this shape and dtype."""
    packed: PackedRows | None = None
    """How it is stored where that is in packed numbers; then `dtype` is what they are unpacked to."""

    @property
    def bytes(self) -> int:
        """Bytes that its values take in the file."""
        return math.prod(self.shape) * self.dtype.itemsize if self.packed is None else self.packed.bytes

    @property
    def format(self) -> str:
        """The number format in which it is stored, such as "bfloat16" or "Q4_K"."""
        return str(self.dtype).removeprefix("torch.") if self.packed is None else self.packed.form.name


class TensorSource:
    """Named tensors of one file, or of the shards of one model. Nothing is read before `get`.

    `metadata` is the safetensors metadata, `layout` how the tensors are stored, `files` the files they come from.
    """

    def __init__(
        self,
        path: Path,
        entries: Mapping[str, Entry],
        *,
        layout: str,
        metadata: Mapping[str, str] | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        self.path = path
        self.layout = layout
        self.metadata = dict(metadata or {})
        self.files = files or (path,)
        self._entries = dict(entries)
        for name in self._entries:
            if not name.isprintable() or len(name) > MAX_TENSOR_NAME:  # names are shown in a terminal
                raise VFEError(
                    f"{path}: a tensor is called {printable(name)}; the file is damaged or hostile, not read"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors."""
        return tuple(self._entries)

    @property
    def description(self) -> str:
        """Layout, number formats and size in one line for people."""
        formats = ", ".join(self.formats())
        return f"{self.layout}, {len(self)} tensors ({formats}), {self.bytes / 1e6:.1f} MB"

    @property
    def bytes(self) -> int:
        """Bytes that all values take."""
        return sum(entry.bytes for entry in self._entries.values())

    @property
    def parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(math.prod(entry.shape) for entry in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor; KeyError for a name that is not there, as the next two."""
        return self._entries[name].shape

    def dtype(self, name: str) -> torch.dtype:
        """Return the dtype in which a tensor is stored."""
        return self._entries[name].dtype

    def entry(self, name: str) -> Entry:
        """Return what is known of a tensor before it is read."""
        return self._entries[name]

    def formats(self) -> list[str]:
        """The number formats in which tensors are stored, such as "bfloat16", that of most values first."""
        count: Counter[str] = Counter()
        for entry in self._entries.values():
            count[entry.format] += math.prod(entry.shape)
        return [name for name, _ in count.most_common()]

    def get(self, name: str) -> Tensor:
        """Read a tensor onto the CPU. That of a torch pickle is a view of the mapped file, copied when written to.

        Raises KeyError for a name that is not there, and VFEError where the file is damaged or the tensor holds NaN or
        infinity.
        """
        entry = self._entries[name]
        tensor = entry.read()
        assert tuple(tensor.shape) == entry.shape and tensor.dtype == entry.dtype
        if not is_finite(tensor):
            raise VFEError(f"{self.path}: {name} holds NaN or infinity; the file is damaged, get it again")
        return tensor

    def get_packed(self, name: str) -> Tensor:
        """Read the blocks of a tensor that is stored in packed numbers; the errors are those of `get`."""
        packed = self._entries[name].packed
        assert packed is not None
        blocks = packed.read()
        if not packed.form.is_finite(blocks):
            raise VFEError(f"{self.path}: {name} holds NaN or infinity; the file is damaged, get it again")
        return blocks

    def select(self, names: Mapping[str, str], layout: str | None = None) -> TensorSource:
        """Return a source of some of these tensors under other names: `names` is {new name: name here}."""
        return self.replace({new: self._entries[name] for new, name in names.items()}, layout)

    def replace(self, entries: Mapping[str, Entry], layout: str | None = None) -> TensorSource:
        """Return a source of the tensors `entries`, which come from the same files; `layout` None stays as it is."""
        return TensorSource(self.path, entries, layout=layout or self.layout, metadata=self.metadata, files=self.files)


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor has no NaN and no infinity. It is read once, and no mask of its size is made."""
    if not tensor.dtype.is_floating_point or tensor.numel() == 0:
        return True
    if tensor.dtype in FP8:  # torch has no minimum of these; float16 and bfloat16 hold all their values
        tensor = tensor.to(torch.bfloat16)
    low, high = torch.aminmax(tensor)
    return bool(torch.isfinite(low)) and bool(torch.isfinite(high))


def preview_names(names: Iterable[str], most: int = 3) -> str:
    """Return the first `most` names in alphabetical order, and how many more there are, for a line of an error."""
    listed = sorted(names)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(map(printable, listed[:most])) + rest


def printable(text: object, length: int = 80) -> str:
    """Return a text of a file as a terminal can show it: cut to `length` characters, without control characters."""
    shown = str(text)
    shown = shown if shown.isprintable() else shown[:length].encode("unicode_escape").decode()
    return shown if len(shown) <= length else shown[: length - 3] + "..."
