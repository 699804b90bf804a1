"""A file of answers to questions that take long, in order, so that a run that is killed need not ask them again.

A line is the digest of all before it and of itself, and the base64 of a question's digest and the answer:

    9f86d081884c7d659a2feaa0c55ad015 nzwvZ0R5...

The chain of digests begins with a key, which says what answers hang on beside the questions. So a line that was cut
off, was changed, or is of another chain ends what is believed; the rest of the file is cut off and asked anew.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

MAX_LINE = 16 << 20  # bytes: no answer is longer, and no more is read at once
_DIGEST_BYTES = 16
_FLUSH_SECONDS = 2.0  # how much work may be lost where the power fails; a killed process loses one answer

T = TypeVar("T")


class AnswerLog:
    """Answers are taken from the file as long as the questions are those of last time, and then added to it."""

    def __init__(self, file: IO[bytes], key: str) -> None:
        """`file` is open for reading and appending."""
        self._file = file
        self._digest = hashlib.sha256(key.encode()).digest()[:_DIGEST_BYTES]
        self._end = 0  # of what is believed, in bytes
        self._is_known = True  # whether what comes next may be in the file
        self._flushed = time.monotonic()
        file.seek(0)

    def recall(self, question: bytes, read: Callable[[bytes], T]) -> T | None:
        """Return what was answered to this question last time, where it comes next in the file.

        `read` makes sense of the bytes, and raises ValueError for those that make none. Where there is no such answer,
        nothing of the rest of the file counts any more. Raises OSError.
        """
        if not self._is_known:
            return None
        line = self._file.readline(MAX_LINE)
        with suppress(ValueError):
            digest, answer = self._vouched(line, _digest_of(question))
            value = read(answer)
            self._digest, self._end = digest, self._end + len(line)
            return value
        self._is_known = False
        self._file.seek(self._end)
        self._file.truncate()
        return None

    def keep(self, question: bytes, answer: bytes) -> None:
        """Add an answer, which is in the file when this returns. Raises OSError as writing does."""
        assert not self._is_known, "an answer is kept where none was recalled"
        body = base64.b64encode(_digest_of(question) + answer)
        self._digest = self._next_digest(body)
        self._file.write(self._digest.hex().encode() + b" " + body + b"\n")
        self._file.flush()
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            os.fsync(self._file.fileno())
            self._flushed = time.monotonic()

    def _vouched(self, line: bytes, question: bytes) -> tuple[bytes, bytes]:
        """Return the digest of a line and the answer in it. ValueError for a line that is not the next of the chain."""
        given, _, body = line.removesuffix(b"\n").partition(b" ")
        digest = self._next_digest(body)
        if not line.endswith(b"\n") or given != digest.hex().encode():
            raise ValueError("a line that nothing vouches for")
        try:
            data = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ValueError("a line that is no base64") from error
        if data[:_DIGEST_BYTES] != question:
            raise ValueError("an answer to another question")
        return digest, data[_DIGEST_BYTES:]

    def _next_digest(self, body: bytes) -> bytes:
        return hashlib.sha256(self._digest + body).digest()[:_DIGEST_BYTES]


@contextmanager
def open_answers(path: Path, key: str) -> Iterator[AnswerLog | None]:
    """Open a file of answers, which is made where there is none; None where another process is writing to it.

    One in which nothing is in the end is removed. `key` says what the answers hang on. Raises OSError as opening does.
    """
    with path.open("a+b") as file:
        is_ours = _is_ours(file)
        try:
            yield AnswerLog(file, key) if is_ours else None
        finally:
            if is_ours and not file.seek(0, os.SEEK_END):
                with suppress(OSError):  # Windows removes no file that is open
                    path.unlink()


def _is_ours(file: IO[bytes]) -> bool:
    """Keep other processes from writing until the file is closed, where the system can; False where one does."""
    try:
        import fcntl
    except ImportError:  # Windows, where lines of two writers are found by their digests
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)  # else a network drive without locks
    return True


def _digest_of(question: bytes) -> bytes:
    return hashlib.sha256(question).digest()[:_DIGEST_BYTES]
