"""What is deleted of a job: what processes that died left in its folder, and all of it when it is done."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

import psutil

from .layout import ASSEMBLED, PLAN, SURVEY, VOUCHED, answers_file
from .worker import Worker

_OURS = re.compile(
    rf"{SURVEY}|{re.escape(PLAN)}|{ASSEMBLED}(\..*)?|assembly\.held|\d{{5,}}-[0-9a-f]{{16}}\.(chunk|measured|ok|held|failed-\d+)"
    r"|\..*\.part|\..*\.vfe-[0-9a-f]{8}.*|\..*\.held\.\d+"
)
"""The names that a job gives. Whatever else lies in its folder is somebody's, and stays."""


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished chunks of processes of this machine that are not there any more."""
    for path in folder.glob(".*.part"):
        pid = Worker.pid_of(path.suffixes[-2]) if len(path.suffixes) > 1 else None
        if pid is not None and not psutil.pid_exists(pid):
            path.unlink(missing_ok=True)


def forget_answers(folder: Path) -> None:
    """Remove what is kept of a first pass over the source, of which nothing is needed any more."""
    with suppress(OSError):  # another process has it open, under Windows; that one removes it
        answers_file(folder).unlink()


def remove_job(folder: Path) -> None:
    """Delete what a job has in its folder, and the folder where nothing else is in it. Raises OSError.

    Last of all goes what tells another run that the work was done, where this one dies meanwhile. Several processes may
    do it at once.
    """
    forget_answers(folder)
    last = (SURVEY, PLAN, VOUCHED)
    try:
        ours = [path for path in folder.iterdir() if _OURS.fullmatch(path.name)]
    except FileNotFoundError:  # another process has deleted it
        return
    for path in sorted(ours, key=lambda path: last.index(path.name) if path.name in last else -1):
        with suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    with suppress(OSError):  # something else is in it
        folder.rmdir()


def holds_only_leftovers(folder: Path) -> bool:
    """Return whether a folder has nothing in it, or what is left of a job that was being deleted."""
    names = [path.name for path in folder.iterdir()]
    return PLAN not in names and all(_OURS.fullmatch(name) for name in names)


def remove_rest(folder: Path) -> None:
    """Delete the folder of a job that was deleted, with what others wrote into it meanwhile. Raises OSError.

    A job, and a folder in which something else lies, stays.
    """
    with suppress(FileNotFoundError):
        if holds_only_leftovers(folder):
            remove_job(folder)
