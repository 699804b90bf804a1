"""Adds the clip job of VFE to Kdenlive:  python editors/kdenlive/install.py

Kdenlive keeps clip jobs in `clipjobsettings.rc`; the lines of `clipjob.rc` are added there, and those of other jobs
stay as they are. Afterwards it is in the menu of clips in the project bin, under Clip Jobs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

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


def find_program() -> str | None:
    """Return the `vfe` beside this Python, else the one that the shell finds; Kdenlive needs its whole path."""
    return shutil.which("vfe", path=str(Path(sys.executable).parent)) or shutil.which("vfe")


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
    parser = argparse.ArgumentParser(description="Add the clip job of VFE to Kdenlive, which should be closed.")
    usual = data_folder(sys.platform, Path.home(), os.environ)
    parser.add_argument("--folder", type=Path, default=usual, help=f"Kdenlive's data (default: {usual})")
    options = parser.parse_args()
    program = find_program()
    if program is None:
        print("the program vfe is not there; install VFE into the Python that runs this", file=sys.stderr)
        return 1
    try:
        path = install(options.folder, program)
    except (OSError, UnicodeDecodeError) as error:
        print(f"{options.folder / FILE}: {' '.join(str(error).split())}; nothing was changed", file=sys.stderr)
        return 1
    print(f"{path}\nIn Kdenlive: a clip of the project bin > Clip Jobs > Restore Faces (VFE)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
