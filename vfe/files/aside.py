"""Files appear when they are complete: each is written under a hidden name beside its own and renamed at the end.

Where a name is a symbolic link, the file that the link leads to is replaced, and the link stays.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..types import VFEError

MAX_FILE_NAME = 255  # bytes: what the file systems of Linux, macOS and Windows all take
_STEM = 64  # bytes of the name that a hidden one keeps, for people who find it after a crash


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a hidden name to write to; after the block, that file is renamed to `path`, or removed where the block
    raised.

    Raises VFEError for a link that leads in a circle, and OSError as writing does.
    """
    target = real_path(path)
    hidden = hidden_name(target, path.suffix)
    try:
        yield hidden
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)


def real_path(path: Path) -> Path:
    """Return where a file of this name lies or will lie, which a symbolic link may have elsewhere.

    Raises VFEError for a link that leads in a circle.
    """
    if not path.is_symlink():
        return path
    try:
        target = path.resolve()
    except (RuntimeError, OSError):  # a circle: RuntimeError before Python 3.13
        target = path
    if target.is_symlink():
        raise VFEError(f"{path}: is a link that leads in a circle; remove it or choose another name")
    return target


def hidden_name(target: Path, suffix: str = "") -> Path:
    """Return a new hidden name beside the file `target`; the suffix tells muxers the format."""
    return target.with_name(fitting_name(f".{shortened(target.stem, _STEM)}.vfe-{secrets.token_hex(4)}", suffix))


def remove_leftovers(path: Path) -> None:
    """Remove what a process that was killed has half written for `path` under hidden names.

    Only for a file that nobody is writing now. What cannot be removed stays.
    """
    pattern = re.compile(re.escape(f".{shortened(path.stem, _STEM)}.vfe-") + "[0-9a-f]{8}" + re.escape(path.suffix))
    with suppress(OSError, VFEError):
        for hidden in real_path(path).parent.iterdir():
            if not pattern.fullmatch(hidden.name):
                continue
            if hidden.is_dir():
                shutil.rmtree(hidden, ignore_errors=True)
            else:
                hidden.unlink(missing_ok=True)


def fitting_name(stem: str, suffix: str) -> str:
    """Return a file name of at most MAX_FILE_NAME bytes; a stem that is too long is cut."""
    return shortened(stem, MAX_FILE_NAME - len(os.fsencode(suffix))) + suffix


def shortened(text: str, size: int) -> str:
    """Return the first characters of a text, as many as fit into `size` bytes of a file name."""
    while len(os.fsencode(text)) > size:
        text = text[:-1]
    return text


def move_to(hidden: Path, path: Path) -> None:
    """Move a finished file to `path`, which a symbolic link may have on another disk. Raises OSError as
    writing does.
    """
    target = real_path(path)
    try:
        hidden.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with written_aside(target) as nearer:
            shutil.copyfile(hidden, nearer)
        hidden.unlink()
