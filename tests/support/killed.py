"""Processes that die when they are about to change what is on the disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = (
    *((Path, name) for name in ("replace", "rename", "unlink", "rmdir", "mkdir")),
    *((os, name) for name in ("fsync", "truncate")),
)
"""The calls that change the disk, by their owners and names."""


def die_before(step: int) -> None:
    """Let this process die when it is about to change the disk for the time of this number."""
    left = [step]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any call
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return call(*args, **kwargs)

        return wrapped

    for owner, name in CHANGES:
        setattr(owner, name, dying(getattr(owner, name)))
