"""The command lines of `vfe`, which restores in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .timing import Frames

CHECK_SECONDS = 120
"""How long an answer of `vfe` may take: the first one after an installation reads much from the disk."""
NEEDED = ("--from", "--progress")
"""The options of `vfe enhance` that older versions lack."""
SUFFIXES = {"h264": ".mp4", "h265": ".mp4", "prores": ".mov", "ffv1": ".mkv"}
"""The suffix of a file by the codec of its video."""


class CommandError(Exception):
    """A reason in one sentence why `vfe` cannot be run."""


@dataclass(frozen=True)
class Options:
    """How faces are restored; only what differs from the defaults of `vfe enhance` is said."""

    preset: str = ""
    region: str = ""
    strength: float = 1.0
    fidelity: float = 0.2
    min_face: int = 0
    model: str = ""
    codec: str = "h264"
    device: str = ""

    def arguments(self) -> tuple[str, ...]:
        """Return the options on which a result depends, as the command line has them."""
        said = (("--preset", self.preset), ("--region", self.region), ("--model", self.model))
        numbers = (("--strength", self.strength, 1.0), ("--fidelity", self.fidelity, 0.2))
        return (
            *(word for name, value in said if value for word in (name, value)),
            *(word for name, value, usual in numbers if abs(value - usual) > 1e-6 for word in (name, f"{value:.3f}")),
            *(("--min-face", str(self.min_face)) if self.min_face else ()),
        )

    def video_arguments(self) -> tuple[str, ...]:
        """Return those of a video, which has a codec too."""
        return (*self.arguments(), "--codec", self.codec)

    def run_arguments(self) -> tuple[str, ...]:
        """Return those that say how it runs, on which a result does not depend."""
        return ("--device", self.device) if self.device else ()


def program(path: str) -> tuple[str, ...]:
    """Return how `vfe` is started: by itself, or by the Python that it is installed in.

    Raises CommandError where there is no such file.
    """
    if not path:
        found = shutil.which("vfe")
        if found is None:
            raise CommandError("vfe is not found: name it, or the Python that has it, in the add-on's preferences")
        return (found,)
    if not Path(path).is_file():
        raise CommandError(f"{path}: no such file; name vfe or a Python in the add-on's preferences")
    return (path, "-m", "vfe") if Path(path).stem.lower().startswith("python") else (path,)


def video_command(start: Sequence[str], clip: Path, output: Path, frames: Frames, rate: float) -> list[str]:
    """Return the command that restores frames of a video with so many frames/s.

    Times lie half a frame before frames, so that rounding changes nothing.
    """
    span = []
    if frames.first > 0:
        span += ["--from", f"{(frames.first - 0.5) / rate:.6f}"]
    if frames.stop is not None:
        span += ["--to", f"{(frames.stop - 0.5) / rate:.6f}"]
    return [*start, "enhance", str(clip), "-o", str(output), *span, "--progress", "json"]


def images_command(start: Sequence[str], folder: Path, output: Path) -> list[str]:
    """Return the command that restores a folder of images as the frames of one clip."""
    return [*start, "enhance", str(folder), "-o", str(output), "--progress", "json"]


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the process: those of Blender without what it tells its own Python."""
    kept = {name: value for name, value in inherited.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    return kept | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def hidden() -> int:
    """Return the flags by which Windows opens no console."""
    return int(getattr(subprocess, "CREATE_NO_WINDOW", 0))


def check(path: str) -> str:
    """Return the version of `vfe`. Raises CommandError with what is wrong, in one sentence."""
    start = program(path)
    said = _answer([*start, "--version"])
    usage = _answer([*start, "enhance", "--help"])
    if not said.startswith("vfe "):
        raise CommandError(f"{start[0]}: is not vfe, it says {said[:80]!r}")
    missing = [option for option in NEEDED if option not in usage]
    if missing:
        raise CommandError(f"{said} is too old: it has no {' and no '.join(missing)}; install a newer one")
    return said


def _answer(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment(os.environ),
            timeout=CHECK_SECONDS,
            creationflags=hidden(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{command[0]}: cannot be run ({error})") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CommandError(f"{command[0]}: {lines[-1] if lines else f'ended with code {done.returncode}'}")
    return done.stdout.strip()
