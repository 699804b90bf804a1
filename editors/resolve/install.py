"""Puts the menu script into DaVinci Resolve:  python -m editors.resolve.install

It writes one small file into Resolve's folder of scripts, which leads back to this one and to the `vfe` of the Python
that runs it; so a newer VFE counts at once. The entry is under Workspace > Scripts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from editors.installing import Installer

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


def install(folder: Path, program: str) -> Path:
    """Write the menu entry into a folder and return its path. Raises OSError as writing does."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / NAME
    text = STUB.format(installer=HERE / "install.py", here=str(HERE), program=program)
    entry.write_text(text, encoding="utf-8")
    return entry


def main() -> int:
    """Read the options and install; return the exit code."""
    return Installer(
        "Put the menu script of VFE into DaVinci Resolve.",
        scripts_folder(sys.platform, Path.home(), os.environ),
        install,
        f"In Resolve: Workspace > Scripts > {Path(NAME).stem}",
    ).run()


if __name__ == "__main__":
    sys.exit(main())
