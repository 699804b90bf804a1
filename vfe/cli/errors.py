"""Errors that are no bugs of this program, each as one line."""

from __future__ import annotations

import errno

from av.error import FFmpegError

from ..types import VFEError

REPORTED = (VFEError, OSError, MemoryError, FFmpegError, RuntimeError)
"""What `one_line` may have a line for. RuntimeError: PyTorch has no class of its own for a full main memory."""

MEMORY_ADVICE = "try a smaller --window, a smaller --size or --device cpu"
_FULL_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def one_line(error: BaseException) -> str | None:
    """What to tell the user, or None for an error that is a bug and deserves its traceback."""
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return f"out of memory; {MEMORY_ADVICE}"
    if isinstance(error, RuntimeError) and not isinstance(error, FFmpegError):
        return None
    if isinstance(error, (OSError, FFmpegError)) and not isinstance(error, VFEError):
        return _system_line(error)
    return " ".join(str(error).split())


def _is_torch_out_of_memory(error: BaseException) -> bool:
    """By name and text: torch is not imported only to report an error."""
    if not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "OutOfMemoryError" or any(text in str(error).lower() for text in _FULL_MEMORY)


def _system_line(error: OSError | FFmpegError) -> str:
    text = " ".join(str(error.strerror or error).split())
    if error.errno == errno.ENOSPC:
        text += "; free some space or write the output elsewhere"
    name = error.filename
    return f"{name}: {text}" if name else text
