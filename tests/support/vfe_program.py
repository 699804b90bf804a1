"""The command `vfe` as a file, as pip makes one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.support.paths import ROOT


def vfe_program(folder: Path) -> Path:
    """Write a script of Unix that runs the command of this checkout."""
    program = folder / "vfe"
    run = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m vfe"
    program.write_text(f'#!/bin/sh\n{run} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program
