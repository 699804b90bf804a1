"""Errors that are no bugs of this program, each as one line."""

from __future__ import annotations

import errno

from av.error import FFmpegError

from ..types import VFEError

REPORTED = (VFEError, OSError, MemoryError, FFmpegError, RuntimeError)
"""The errors that `one_line` may have a line for. PyTorch has no class of its own for a full main memory."""

MEMORY_ADVICE = "try a smaller --window, a smaller --size or --device cpu"
"""What a user can do who has too little memory."""
_FULL_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def one_line(error: BaseException) -> str | None:
    """Return what to tell the user, or None for an error that is a bug and deserves its traceback."""
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return f"out of memory; {MEMORY_ADVICE}"
    if isinstance(error, RuntimeError) and not isinstance(error, FFmpegError):
        return None
    if isinstance(error, (OSError, FFmpegError)) and not isinstance(error, VFEError):
        return _system_line(error)
    return " ".join(str(error).split())


def _is_torch_out_of_memory(error: BaseException) -> bool:
    """Return whether PyTorch ran out of memory, by name and text: torch is not imported only to report an error."""
    if not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "OutOfMemoryError" or any(text in str(error).lower() for text in _FULL_MEMORY)


def _system_line(error: OSError | FFmpegError) -> str:
    """Return what the system or FFmpeg says of an error, after the name of the file where it has one."""
    text = " ".join(str(error.strerror or error).split())
    if error.errno == errno.ENOSPC:
        text += "; free some space or write the output elsewhere"
    name = error.filename
    return f"{name}: {text}" if name else text
