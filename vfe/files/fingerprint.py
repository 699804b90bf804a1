"""What tells a file from all others without reading all of it: our own choice of what is read."""

from __future__ import annotations

import hashlib
from pathlib import Path

_END = 1 << 20  # bytes: the first and the last MiB are read whole
_PIECE = 64 << 10  # bytes, of each piece between them
_PIECES = 64


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's size, its first and last MiB, and 64 pieces of 64 KiB between them.

    Of 100 GB that reads 6 MB, and finds any other film, any other training of a model and any file that is cut short.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_END))
        between = size - 2 * _END
        for index in range(_PIECES if between > 0 else 0):
            file.seek(_END + between * index // _PIECES)
            digest.update(file.read(_PIECE))
        file.seek(max(size - _END, 0))
        digest.update(file.read(_END))
    return digest.hexdigest()
