"""Errors that come out of nodes name nothing that only users of the command have: `vfe.types.Remedy` is for that."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from vfe.types import Remedy, VFEError

COMMAND = re.compile(r"`|(?<!\w)--\w|VFE_|FOLDERS_VARIABLE")
# What no node calls, for it is how the command and Python find and load a model, and what the command does besides.
NOT_CALLED = {
    "batch",
    "cli",
    "cluster",
    "curation",
    "degradations",
    "jobs",
    "live",
    "score",
    "text",
    "timeline",
    "device.py",
    "face/detect/facexlib.py",
    "library/catalogue.py",
    "library/comfyui.py",
    "library/download.py",
    "library/folders.py",
    "loading/load.py",
    "weights/convert.py",
    "weights/export.py",
}
NOT_CALLED_PARTS = {"_check_asked_for", "find_model", "from_json", "_check"}
"""Functions of other modules; the last two are for lists of faces, which are read by the command alone."""


def called() -> list[Path]:
    """Modules of vfe that nodes use."""
    files = sorted((ROOT / "vfe").rglob("*.py"))
    return [path for path in files if not any(path.is_relative_to(ROOT / "vfe" / name) for name in NOT_CALLED)]


def errors_for_the_command(source: str) -> list[str]:
    """What `VFEError(fact, ...)` says of the command in its fact, outside of what nodes do not call."""
    found = []
    for part in ast.parse(source).body:
        for function in ast.walk(part):
            if isinstance(function, ast.FunctionDef) and function.name in NOT_CALLED_PARTS:
                function.body = []
        for call in ast.walk(part):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "VFEError" and call.args:
                fact = ast.unparse(call.args[0])
                found += [fact] if COMMAND.search(fact) else []
    return found


@pytest.mark.parametrize("path", called(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_facts_are_for_everybody(path: Path) -> None:
    assert errors_for_the_command(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("advice", ["use --overwrite", "see `vfe faces`", "set VFE_MODELS"])
def test_a_fact_for_the_command_is_found(advice: str) -> None:
    assert errors_for_the_command(f"raise VFEError(f'{{path}}: {advice}')")
    assert errors_for_the_command(f"raise VFEError(f'{{path}}', Remedy.SEE_FACES, '{advice}')") == []


def test_the_command_is_told_both_and_nodes_can_tell_them_apart() -> None:
    error = VFEError("a.mp4: exists already", Remedy.REPLACE_OUTPUT, "use --overwrite")
    assert str(error) == "a.mp4: exists already; use --overwrite"
    assert (error.fact, error.remedy) == ("a.mp4: exists already", Remedy.REPLACE_OUTPUT)
    assert str(VFEError("plain")) == VFEError("plain").fact == "plain"
    assert VFEError("plain").remedy is None
