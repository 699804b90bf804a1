"""A process that does one piece of work after another and may die or hang of any, which its parent is told."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
import tempfile
from collections.abc import Callable

from tests.support.paths import ROOT


class WorkerDied(Exception):
    """The process ended over a piece of work, by itself or because it took too long."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"ended a process (code {code}): {said[-2000:]}")


class Watched:
    """Hands pieces of work, a line each, to `python -m MODULE`, which calls `serve`."""

    def __init__(self, module: str, limit: float) -> None:
        """A piece of work may take `limit` seconds."""
        self._module, self._limit = module, limit
        self._errors = tempfile.TemporaryFile()
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
        self._errors.close()

    def ask(self, work: str) -> str:
        """The answer to a piece of work. Raises WorkerDied; the next piece gets a new process."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self._limit} {work}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer.endswith("\n"):
            return answer[:-1]
        self._process = None
        with process:  # which closes its pipes
            code = process.wait()
        self._errors.seek(0)
        raise WorkerDied(code, self._errors.read().decode(errors="replace"))

    def _start(self) -> subprocess.Popen[str]:
        self._errors.truncate(0)
        command = [sys.executable, "-m", self._module]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=self._errors, text=True)


def serve(do: Callable[[str], str]) -> None:
    """Answer each line `LIMIT WORK` of the input by a line. Past LIMIT seconds the process ends, whatever it does."""
    answers = sys.stdout
    faulthandler.enable()
    for line in sys.stdin:
        limit, work = line.rstrip("\n").split(" ", 1)
        faulthandler.dump_traceback_later(float(limit), exit=True)
        answer = do(work)
        faulthandler.cancel_dump_traceback_later()
        answers.write(f"{answer}\n")
        answers.flush()
