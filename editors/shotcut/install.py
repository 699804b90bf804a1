"""Makes a program for Shotcut's Open With:  python -m editors.shotcut.install

Shotcut has no jobs of its own for other programs, but hands a file to one: in the panel Files, or by Properties of a
clip, Open With > Other. This writes such a program, which restores the faces of the file it is given into
NAME.restored.mkv beside it. While it works, and where it fails, NAME.restored.log says how far it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from editors.installing import Installer

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


def text_of(platform: str, program: str) -> str:
    """Return the program: a script of the shell, or a batch file."""
    installer = "editors.shotcut.install"
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
    return Installer(
        "Make a program for Shotcut's Open With.",
        programs_folder(sys.platform, Path.home(), os.environ),
        partial(install, platform=sys.platform),
        "In Shotcut: Open With > Other, and choose this file",
    ).run()


if __name__ == "__main__":
    sys.exit(main())
