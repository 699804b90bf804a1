"""What FFmpeg and the system report, as one line that the user can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from ..types import VFEError

MEDIA_ERRORS = (av.FFmpegError, OSError)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn FFmpeg and system errors while reading `path` into `VFEError`."""
    try:
        yield
    except VFEError:
        raise
    except MEDIA_ERRORS as error:
        raise VFEError(f"{path}: cannot be read ({reason(error)}); needed is a whole video or image file") from error


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Put the name of the file before the message of a `VFEError` that does not name it."""
    try:
        yield
    except VFEError as error:
        raise VFEError(f"{path}: {error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn FFmpeg and system errors while writing `path` into `VFEError`; a full disk is named as such."""
    try:
        yield
    except VFEError:
        raise
    except MEDIA_ERRORS as error:
        if is_full_disk(error):
            raise VFEError(f"disk full while writing {path}: free some space or choose another disk") from error
        if isinstance(error, PermissionError):
            raise VFEError(f"{path.parent}: no permission to write there; choose another folder") from error
        raise VFEError(f"{path}: cannot be written ({reason(error)}); choose another codec, size or folder") from error


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says that no space (disk, quota or file size limit) is left."""
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def reason(error: BaseException) -> str:
    """Return the short text of an FFmpeg or system error, without numbers and file names."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
