"""Makes a program for Shotcut's Open With:  python editors/shotcut/install.py

Shotcut has no jobs of its own for other programs, but hands a file to one: in the panel Files, or by Properties of a
clip, Open With > Other. This writes such a program, which restores the faces of the file it is given into
NAME.restored.mkv beside it. While it works, and where it fails, NAME.restored.log says how far it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "restore-faces"
UNIX = """#!/bin/sh
# Written by {installer}. Restores the faces of the file it is given, into NAME.restored.mkv beside it.
name="${{1%.*}}.restored"
if {program} enhance "$1" -o "$name.mkv" --region face >"$name.log" 2>&1; then
    rm -f "$name.log"
else
    exit 1
fi
"""
WINDOWS = """@echo off
rem Written by {installer}. Restores the faces of the file it is given, into NAME.restored.mkv beside it.
{program} enhance "%~1" -o "%~dpn1.restored.mkv" --region face > "%~dpn1.restored.log" 2>&1
if errorlevel 1 exit /b 1
del "%~dpn1.restored.log"
"""


def programs_folder(platform: str, home: Path, environ: Mapping[str, str]) -> Path:
    """Return a folder of the user's own programs."""
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "VFE"
    return home / ".local" / "bin"


def find_program() -> str | None:
    """Return the `vfe` beside this Python, else the one that the shell finds: Shotcut's own path has other folders."""
    return shutil.which("vfe", path=str(Path(sys.executable).parent)) or shutil.which("vfe")


def text_of(platform: str, program: str) -> str:
    """Return the program: a script of the shell, or a batch file."""
    installer = "editors/shotcut/install.py"
    if platform == "win32":
        return WINDOWS.format(installer=installer, program=f'"{program}"').replace("\n", "\r\n")
    quoted = "'" + program.replace("'", "'\\''") + "'"
    return UNIX.format(installer=installer, program=quoted)


def install(folder: Path, program: str, platform: str) -> Path:
    """Write the program into a folder and return its path. Raises OSError as writing does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"{NAME}.cmd" if platform == "win32" else NAME)
    path.write_bytes(text_of(platform, program).encode())
    path.chmod(0o755)
    return path


def main() -> int:
    """Read the options and install; return the exit code."""
    parser = argparse.ArgumentParser(description="Make a program for Shotcut's Open With.")
    usual = programs_folder(sys.platform, Path.home(), os.environ)
    parser.add_argument("--folder", type=Path, default=usual, help=f"where to write it (default: {usual})")
    options = parser.parse_args()
    program = find_program()
    if program is None:
        print("the program vfe is not there; install VFE into the Python that runs this", file=sys.stderr)
        return 1
    try:
        path = install(options.folder, program, sys.platform)
    except OSError as error:
        print(f"{options.folder}: {error.strerror}; give another by --folder", file=sys.stderr)
        return 1
    print(f"{path}\nIn Shotcut: Open With > Other, and choose this file")
    return 0


if __name__ == "__main__":
    sys.exit(main())
