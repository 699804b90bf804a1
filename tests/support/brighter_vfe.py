"""`python -m tests.support.brighter_vfe ARGUMENTS` is `vfe ARGUMENTS` with a stand-in that brightens for the model."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from torch import Tensor

from tests.support.cli_run import BrightenPipeline
from vfe.cli import main
from vfe.restore import restorer

SLOW = "slow"
"""A clip with this in its name takes a tenth of a second a frame."""


class Slower(BrightenPipeline):
    """Takes its time where the command line names a slow clip."""

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **more: object) -> Iterator[Tensor]:
        for frame in super().stream(frames, strength=strength, **more):
            if any(SLOW in word for word in sys.argv):
                time.sleep(0.1)
            yield frame


if __name__ == "__main__":
    setattr(restorer, "load_pipeline", lambda *_: Slower())  # noqa: B010 - mypy knows its type
    sys.exit(main())
