"""mypy over `nodes/`, as ComfyUI loads them: `python -m tests.mypy_nodes`.

The nodes import the pack's own `vfe` from the package around them (`from ..vfe`), whose name is that of the folder of
the clone. A link gives the clone a name that can be one of a package; errors name the files of the clone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.paths import ROOT

PACKAGE = "vfe_pack"


def link(place: Path) -> None:
    """Make `place` a link to the clone; on Windows a junction, which needs no rights."""
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(ROOT), str(place))
    else:
        place.symlink_to(ROOT, target_is_directory=True)


def unlink(place: Path) -> None:
    """Remove the link, so that what removes the folder around it does not follow a junction."""
    place.rmdir() if sys.platform == "win32" else place.unlink()


def main() -> int:
    """mypy's exit code."""
    with TemporaryDirectory() as folder:
        link(Path(folder) / PACKAGE)
        options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache" / "nodes")]
        environment = {**os.environ, "MYPYPATH": folder}
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *options, "-p", f"{PACKAGE}.nodes"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        unlink(Path(folder) / PACKAGE)
    print(done.stdout.replace(f"{PACKAGE}{os.sep}", "") + done.stderr, end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
