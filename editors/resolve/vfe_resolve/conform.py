"""`vfe conform`, the command, beside Resolve."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from .choices import Choices
from .failure import Failure


class Conform:
    """`vfe conform` in a process of its own."""

    def __init__(self, choices: Choices, cut: Path, output: Path) -> None:
        """Raises Failure where the program is not there, or is none."""
        program = shutil.which(choices.program)
        if program is None:
            raise Failure(f"the program {choices.program} is not there; install VFE, or give the whole path of vfe")
        command = [program, "conform", str(cut), "-o", str(output), "--overwrite", "--progress", "json"]
        command += ["--region", choices.region, "--min-face", str(choices.min_face)]
        command += [f"--only-clips={choices.only_clips}"] if choices.only_clips else []
        # Resolve's own libraries and Python are not those of VFE.
        ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
        ours.pop("LD_LIBRARY_PATH", None)
        self.said: queue.Queue[str] = queue.Queue()
        self.last = ""
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env=ours,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise Failure(f"{program}: cannot be run ({error.strerror})") from error
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        with self.process:  # waits for its end, and closes the pipe
            for line in self.process.stdout or ():
                self.said.put(line.strip())

    def lines(self) -> Iterator[str]:
        """Yield what it said since the last call, progress in words."""
        while not self.said.empty():
            line = self.said.get()
            told = as_progress(line)
            if told is None and line:
                self.last = line
            if told or line:
                yield told or line

    def is_done(self) -> bool:
        """Return whether it ended well. Raises Failure, with its last line, where it did not."""
        code = self.process.poll()
        if code is None:
            return False
        self.reader.join(5)
        if code:
            for _ in self.lines():
                pass
            raise Failure(self.last or f"vfe ended with code {code}")
        return True

    def cancel(self) -> None:
        """End it. What it has restored so far is kept, and not restored again the next time."""
        self.process.terminate()


def as_progress(line: str) -> str | None:
    """Return a line of JSON in words, None for any other."""
    try:
        told = json.loads(line)
        done, total = int(told["done"]), told["total"]
        return f"{told['stage']}: {done} of {total} frames" if total else f"{told['stage']}: {done} frames"
    except (ValueError, KeyError, TypeError):
        return None
