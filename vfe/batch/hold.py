"""While a run restores a file it says so beside the output, for other runs into the same folder to leave it alone.

The hidden file `.NAME.vfe-held` names the machine and the process. One of a process that is gone counts for nothing.
Where two runs find such a one at the same moment, a file may be restored twice, which does no harm: outputs get their
names when they are whole.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict
from pathlib import Path

from ..config import from_mapping
from ..files.aside import fitting_name
from ..jobs.worker import Worker

SUFFIX = ".vfe-held"
_HEARTBEAT = 5.0  # seconds between two signs of life
_LARGEST = 1 << 12  # bytes that such a file may have
_BEING_WRITTEN = 10.0  # seconds in which a file that names nobody may be one that is just being written


class Hold:
    """The word that an output is being made."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(fitting_name(f".{output.name}", SUFFIX))
        self._signed = 0.0

    def take(self) -> str | None:
        """Say that this process makes the output; where another one does, return its machine and number instead.

        Raises OSError as writing does.
        """
        mine = json.dumps(asdict(Worker.this()))
        try:
            with self.path.open("x", encoding="ascii") as file:
                file.write(mine)
        except FileExistsError:
            if (holder := self._holder()) is not None:
                return holder
            aside = self.path.with_name(fitting_name(f".{secrets.token_hex(4)}", SUFFIX))
            aside.write_text(mine, encoding="ascii")
            aside.replace(self.path)
        self._signed = time.monotonic()
        return None

    def sign(self) -> None:
        """Give a sign of life, now and then. Raises OSError where the file is gone."""
        if time.monotonic() - self._signed > _HEARTBEAT:
            self._signed = time.monotonic()
            os.utime(self.path)

    def release(self) -> None:
        """Say that nobody makes the output."""
        self.path.unlink(missing_ok=True)

    def _holder(self) -> str | None:
        """Return who makes the output; None where that is nobody who is still there."""
        try:
            signed = min(self.path.stat().st_mtime, time.time())
            with self.path.open("rb") as file:
                worker = from_mapping(Worker, json.loads(file.read(_LARGEST)))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            return "another run" if time.time() - signed < _BEING_WRITTEN else None
        is_other = worker != Worker.this()  # one process makes one batch: what it held before it holds no more
        return str(worker) if is_other and not worker.is_gone(signed) else None
