"""What the installers of editors share: where `vfe` is, and how an installer is run.

They are run from the root of the clone: `python -m editors.kdenlive.install`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Installer:
    """Something that is put into a folder of an editor."""

    what: str
    """What it does, for --help."""
    folder: Path
    """Where it goes unless told otherwise."""
    install: Callable[[Path, str], Path]
    """Puts it into a folder, for the program `vfe` at a path, and returns the file. Raises OSError, and
    UnicodeDecodeError where a file that is there is no text."""
    told: str
    """Where the user finds it then."""

    def run(self) -> int:
        """Read the options and install; return the exit code."""
        parser = argparse.ArgumentParser(description=self.what)
        parser.add_argument("--folder", type=Path, default=self.folder, help=f"where to (default: {self.folder})")
        folder = parser.parse_args().folder
        program = find_program()
        if program is None:
            print("the program vfe is not there; install VFE into the Python that runs this", file=sys.stderr)
            return 1
        try:
            path = self.install(folder, program)
        except (OSError, UnicodeDecodeError) as error:
            said = " ".join(str(error).split())
            print(f"{folder}: {said}; nothing was changed; give another by --folder", file=sys.stderr)
            return 1
        print(f"{path}\n{self.told}")
        return 0


def find_program() -> str | None:
    """Return the `vfe` beside this Python, else the one that the shell finds: editors need its whole path."""
    return shutil.which("vfe", path=str(Path(sys.executable).parent)) or shutil.which("vfe")
