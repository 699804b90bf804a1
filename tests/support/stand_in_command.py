"""`python -m tests.support.stand_in_command ARGUMENTS` is `vfe ARGUMENTS` whose workers have a stand-in for the model.

It treats files by their names: `dies` ends its process, `slow` takes a second a frame and says that it works, `bug`
raises what no file should.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vfe.cli import main

if TYPE_CHECKING:
    from torch import Tensor


class Brighten:
    """Adds a constant, or does what the name of the file says."""

    def __init__(self) -> None:
        self.name = ""

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **_: object) -> Iterator[Tensor]:
        if "bug" in self.name:
            raise RuntimeError("shapes do not match")
        for frame in frames:
            if "dies" in self.name:
                os.kill(os.getpid(), signal.SIGKILL)
            if "slow" in self.name:
                sys.stdout.write("working\n")
                sys.stdout.flush()
                time.sleep(1)
            yield frame + 0.1 * strength


def stand_in() -> None:
    """Make every model file load as a stand-in that hears the name of the file."""
    from vfe.restore import restorer

    pipeline, restore_file = Brighten(), restorer.Restorer.restore_file

    def named(self: restorer.Restorer, src: Path, *rest: object, **more: object) -> object:
        pipeline.name = src.stem
        return restore_file(self, src, *rest, **more)  # type: ignore[arg-type]

    setattr(restorer, "load_pipeline", lambda *_: pipeline)  # noqa: B010 - mypy knows its type
    setattr(restorer.Restorer, "restore_file", named)  # noqa: B010


if __name__ == "__mp_main__":  # in a worker, which imports the module of its parent under this name
    stand_in()
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    sys.exit(main())
