"""Make the zip that Blender installs: `python editors/blender/make_zip.py [FOLDER]` writes vfe_restore.zip there.

The same files give the same bytes: they are in order, of one time, and not compressed, for zlib's versions differ.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

ADDON = Path(__file__).resolve().parent / "vfe_restore"
SUFFIXES = (".py", ".toml")
TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
READABLE = 0o100644 << 16
"""A file that everybody may read, as zips made on Unix say it."""


def make_zip(folder: Path) -> Path:
    """Write the zip into a folder and return its path; what was there before is replaced when it is whole."""
    path = folder / f"{ADDON.name}.zip"
    aside = folder / f".{path.name}.part"
    licence = ADDON.parents[2] / "LICENSE"
    files = sorted(file for file in ADDON.iterdir() if file.suffix in SUFFIXES)
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
        for file in (*files, licence):
            entry = zipfile.ZipInfo(f"{ADDON.name}/{file.name}", TIME)
            entry.create_system, entry.external_attr = 3, READABLE
            archive.writestr(entry, file.read_bytes().replace(b"\r\n", b"\n"))
    aside.replace(path)
    return path


def main() -> None:
    """Make the zip where the command line says."""
    parser = argparse.ArgumentParser(description="Make the zip of the Blender add-on.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path.cwd(), help="where it is written (default: here)")
    print(make_zip(parser.parse_args().folder))


if __name__ == "__main__":
    main()
