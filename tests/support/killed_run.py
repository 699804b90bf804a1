"""A training run that dies by SIGKILL and is resumed: `python -m tests.support.killed_run CONFIG MOMENT STEP`.

Moments: `step` before the optimizers move at STEP; `saving` in the middle of writing STEP's checkpoint; `renamed` when
it is complete but the older one is not yet removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from training import train
from training.run.loop import Run


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_step(step: int) -> None:
    move = Run._move

    def moved(self: Run, index: int, pieces: list[Any]) -> tuple[list[Any], bool]:
        if self.progress.step == step:
            die()
        return move(self, index, pieces)

    Run._move = moved  # type: ignore[method-assign]


def die_while_saving(step: int) -> None:
    save = torch.save

    def half_saved(value: Any, path: Path) -> None:  # noqa: ANN401
        save(value, path)
        if f"{step:08d}" in str(path):
            os.truncate(path, path.stat().st_size // 2)
            die()

    torch.save = half_saved  # type: ignore[assignment]


def die_before_tidying(step: int) -> None:
    remove = shutil.rmtree

    def removed(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors and f"{step:08d}" in "".join(p.name for p in path.parent.iterdir()):
            die()
        remove(path, ignore_errors)

    shutil.rmtree = removed  # type: ignore[assignment]


def main(config: str, moment: str, step: int) -> None:
    torch.set_num_threads(1)
    {"step": die_at_step, "saving": die_while_saving, "renamed": die_before_tidying}[moment](step)
    train.main([config, "--resume"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
