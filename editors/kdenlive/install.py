"""Adds the clip job of VFE to Kdenlive:  python -m editors.kdenlive.install

Kdenlive keeps clip jobs in `clipjobsettings.rc`; the lines of `clipjob.rc` are added there, and those of other jobs
stay as they are. Afterwards it is in the menu of clips in the project bin, under Clip Jobs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from editors.installing import Installer

JOB = Path(__file__).resolve().parent / "clipjob.rc"
FILE = "clipjobsettings.rc"
KEY = "vfe="


def data_folder(platform: str, home: Path, environ: Mapping[str, str]) -> Path:
    """Return the folder in which Kdenlive keeps what it writes."""
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "kdenlive"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "kdenlive"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "kdenlive"


def groups_of(text: str) -> dict[str, str]:
    """Return the line of our job by the head of its group."""
    return dict(re.findall(r"^(\[\w+\])\n(vfe=.*)$", text, re.MULTILINE))


def merged(settings: str, job: str) -> str:
    """Return settings with the lines of a job, each in its group; what an earlier one had is replaced."""
    left, lines = groups_of(job), []
    group = ""
    for line in settings.splitlines():
        if line.startswith("["):
            group = line.strip()
        elif line.startswith(KEY):
            continue
        lines.append(line)
        if group == line.strip() and group in left:
            lines.append(left.pop(group))
    for head, line in left.items():
        lines += ["", head, line] if lines else [head, line]
    return "\n".join(lines) + "\n"


def install(folder: Path, program: str) -> Path:
    """Add the job to the settings of a folder and return their path. Raises OSError as reading and writing do."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    job = JOB.read_text(encoding="utf-8").replace("@VFE@", program.replace("\\", "/"))
    aside = path.with_name(f".{FILE}.{os.getpid()}")
    aside.write_text(merged(before, job), encoding="utf-8")
    aside.replace(path)
    return path


def main() -> int:
    """Read the options and install; return the exit code."""
    return Installer(
        "Add the clip job of VFE to Kdenlive, which should be closed.",
        data_folder(sys.platform, Path.home(), os.environ),
        install,
        "In Kdenlive: a clip of the project bin > Clip Jobs > Restore Faces (VFE)",
    ).run()


if __name__ == "__main__":
    sys.exit(main())
