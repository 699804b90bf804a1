"""What a torch pickle asks for, read from its bytes before anything is built of them.

torch's `weights_only` runs no code, but builds what a plain state dict never needs: `bytearray(10 ** 11)` in a file of
40 bytes fills the memory, and so does a tensor that is copied while it is expanded. Here only tensors, their number
formats and plain containers pass.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

import torch

from ..types import VFEError
from .source import printable

MAX_PICKLE = 4 << 20  # bytes of the pickle itself, without the tensors' values: a 14B DiT takes 0.2 MB
ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, ValueError, OverflowError, RuntimeError, struct.error)  # zipfile's
OLD_PICKLES = 5  # in a file of torch before 1.6: magic number, version, machine, content, keys of the storages

_REBUILT = {  # functions of torch._utils that make a tensor of a storage, without copying it
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor",
    "_rebuild_meta_tensor_no_storage",
}
_FROM = {
    "collections": {"OrderedDict", "Counter"},
    "builtins": {"set", "complex"},
    "__builtin__": {"set", "complex"},
    "_codecs": {"encode"},  # bytes, as Python 2's pickles write them
    "torch": {"Size", "device"},
    "torch._utils": _REBUILT,
    "torch.serialization": {"_get_layout"},
    "torch.storage": {"UntypedStorage", "TypedStorage"},
}


def check_archive(path: Path) -> None:
    """Check a zip archive. VFEError where it is not torch's, is packed, or asks for more than tensors.

    torch stores its entries as they are, for they are mapped; a packed one of zeros would take a thousand times its
    size. Names are compared as torch does, without regard to case.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.lower().endswith("data.pkl")]
            if len(pickles) != 1:
                raise VFEError(f"{path}: a zip archive, but not one of torch.save; needed a file of weights")
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            if packed or pickles[0].file_size > MAX_PICKLE:
                raise VFEError(
                    f"{path}: a torch archive with packed or huge entries, which torch.save never writes; not read"
                )
            content = archive.read(pickles[0])
    except VFEError:
        raise
    except ZIP_ERRORS as error:
        raise VFEError(f"{path}: a truncated or damaged torch file ({error}); get it again") from error
    _check(path, BytesIO(content), 1)


def check_old_file(path: Path) -> None:
    """Check a file of torch before 1.6: pickles, then values. VFEError where they ask for more than tensors."""
    with path.open("rb") as file:
        _check(path, file, OLD_PICKLES)


def _check(path: Path, file: IO[bytes], pickles: int) -> None:
    for name in _asked_for(path, file, pickles):
        module, _, attribute = name.partition(" ")
        plain = attribute in _FROM.get(module, ()) or (module == "torch" and _is_number_format(attribute))
        if not plain:
            asked = printable(f"{module}.{attribute}")
            raise VFEError(
                f"{path}: a pickle that asks for {asked}, which is not tensor data; nothing of it was run; "
                "needed a plain state dict or a .safetensors file"
            )


def _asked_for(path: Path, file: IO[bytes], pickles: int) -> Iterator[str]:
    """ "module name" of everything that the next pickles in the file would import."""
    try:
        for _ in range(pickles):
            for operation, argument, position in pickletools.genops(file):
                if operation.name in ("GLOBAL", "INST"):
                    yield str(argument)
                elif operation.name == "STACK_GLOBAL":  # its name is computed; torch does not read it either
                    yield "pickle STACK_GLOBAL"
                if (position or 0) > MAX_PICKLE:
                    raise VFEError(f"{path}: a pickle of over {MAX_PICKLE} bytes without the tensors; not read")
    except VFEError:
        raise
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, struct.error) as error:
        text = printable(" ".join(str(error).split()), 160)
        raise VFEError(f"{path}: a damaged or unsupported torch file ({text}); get it again") from error


def _is_number_format(name: str) -> bool:
    """torch.float16 and torch.HalfStorage"""
    return (name.endswith("Storage") and name.isidentifier()) or isinstance(getattr(torch, name, None), torch.dtype)
