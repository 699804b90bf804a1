"""What worker processes do in tests of the pool: a file's name says what becomes of it. Torch is not imported."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from vfe.batch.clips import Clip
from vfe.batch.given import GivenOptions
from vfe.batch.plan import Failed, FileTask, Made
from vfe.batch.worker import RestoreFile
from vfe.options import RestoreOptions
from vfe.types import Progress


def task(name: str, folder: Path = Path()) -> FileTask:
    """A task for a file of this name."""
    clip = Clip(folder / name, Path(name))
    return FileTask(clip, folder / "out" / name, RestoreOptions(), GivenOptions())


def restore(task: FileTask, progress: Progress) -> Made | Failed:
    """Do what the name says; what is made tells by which process, and in how many threads."""
    name = task.clip.path.name
    progress(0, 2)
    if "dies" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "leaves" in name:
        raise SystemExit(3)
    if "fails" in name:
        return Failed("as its name says")
    try:
        while "hangs" in name:
            task.clip.path.touch()  # so that the test knows that it is at work
            time.sleep(0.02)
    finally:
        if "hangs" in name:
            task.clip.path.with_suffix(".tidied").touch()
    return Made(2, 0.1, (str(os.getpid()), os.environ.get("OMP_NUM_THREADS", "")))


def load() -> RestoreFile | Failed:
    """Load nothing."""
    return restore


def load_nothing() -> RestoreFile | Failed:
    """Say that there is no model."""
    return Failed("no model of this name")


def die_loading() -> RestoreFile | Failed:
    """End as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
