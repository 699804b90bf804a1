"""Puts the menu script into DaVinci Resolve:  python editors/resolve/install.py

It writes one small file into Resolve's folder of scripts, which leads back to this one and to the `vfe` of the Python
that runs it; so a newer VFE counts at once. The entry is under Workspace > Scripts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "Restore faces (VFE).py"
HERE = Path(__file__).resolve().parent
STUB = '''"""Written by {installer}: run that again to change it, or delete this file."""

import sys

sys.path.insert(0, {here!r})
from vfe_resolve.menu import main

main(globals().get("resolve"), globals().get("bmd"), {program!r})
'''


def scripts_folder(platform: str, home: Path, environ: Mapping[str, str]) -> Path:
    """Return the user's own folder of scripts, as the README of Resolve's scripting API names it."""
    if platform == "win32":
        data = environ.get("APPDATA")
        base = Path(data) if data else home / "AppData" / "Roaming"
        return base / "Blackmagic Design" / "DaVinci Resolve" / "Support" / "Fusion" / "Scripts" / "Utility"
    if platform == "darwin":
        support = home / "Library" / "Application Support"
        return support / "Blackmagic Design" / "DaVinci Resolve" / "Fusion" / "Scripts" / "Utility"
    return home / ".local" / "share" / "DaVinciResolve" / "Fusion" / "Scripts" / "Utility"


def find_program() -> str:
    """Return the `vfe` beside this Python, else the one that the shell finds."""
    return shutil.which("vfe", path=str(Path(sys.executable).parent)) or shutil.which("vfe") or "vfe"


def install(folder: Path, program: str) -> Path:
    """Write the menu entry into a folder and return its path. Raises OSError as writing does."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / NAME
    text = STUB.format(installer=HERE / "install.py", here=str(HERE), program=program)
    entry.write_text(text, encoding="utf-8")
    return entry


def main() -> int:
    """Read the options and install; return the exit code."""
    parser = argparse.ArgumentParser(description="Put the menu script of VFE into DaVinci Resolve.")
    usual = scripts_folder(sys.platform, Path.home(), os.environ)
    parser.add_argument("--folder", type=Path, default=usual, help=f"where scripts lie (default: {usual})")
    options = parser.parse_args()
    try:
        entry = install(options.folder, find_program())
    except OSError as error:
        print(f"{options.folder}: {error.strerror}; give another by --folder", file=sys.stderr)
        return 1
    print(f"{entry}\nIn Resolve: Workspace > Scripts > {entry.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
