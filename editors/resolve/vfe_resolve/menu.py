"""What the menu entry runs: a dialog where Fusion has one for scripts, else the console."""

from __future__ import annotations

from typing import Any

from .choices import Choices
from .dialog import Dialog
from .run import run_in_console


def main(resolve: Any, bmd: Any, program: str) -> None:
    """Restore the timeline that is open. `program` is where the installer found `vfe`."""
    if resolve is None:
        print("VFE: this is for DaVinci Resolve; start it there under Workspace > Scripts")
        return
    choices = Choices.read()
    if choices.program == Choices.program:
        choices.program = program
    fusion = resolve.Fusion()
    ui = getattr(fusion, "UIManager", None)  # the free Resolve has none since version 19.1
    make = getattr(bmd, "UIDispatcher", None)
    if ui and make:
        Dialog(resolve, ui, make(ui), choices).show()
    else:
        run_in_console(resolve, choices, print)
