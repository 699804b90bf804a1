"""Test cases that run inside ComfyUI: in a process of their own, since its import sets devices and patches torch.

`tests/comfy_cases/<name>.py` is a test file for that process; `cases` names its tests and `check` says how one ended.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.paths import ROOT
from tests.support.suites import REPORT

FOLDER = ROOT / "tests" / "comfy_cases"

RUNNER = """
import sys, types
comfyui, root, base, case, report = sys.argv[1:]
sys.argv = ["comfy", "--cpu", "--base-directory", base]
sys.path.insert(0, comfyui)
import comfy.options
comfy.options.enable_args_parsing()
import comfy.model_management, folder_paths, nodes  # ComfyUI's module of that name, not this pack's package
tests = types.ModuleType("tests")  # nor ComfyUI's tests
tests.__path__ = [root + "/tests"]
sys.modules["tests"] = tests
sys.path.append(root)
import pytest
# Warnings are no errors here: ComfyUI's requirements are of other versions than ours, and warn of each other.
options = ["-q", "-p", "no:cacheprovider", "-o", "pythonpath=", "-o", "filterwarnings=default", "--junitxml", report]
sys.exit(pytest.main([*options, case]))
"""


def cases(name: str) -> list[str]:
    """The tests of a file of cases, parametrised ones once."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def check(name: str, case: str) -> None:
    """Fail with what the case failed with."""
    results = _results(name)
    ended = {test: text for test, text in results.items() if test.partition("[")[0] == case}
    assert ended, f"{case} did not run: {results.get('', '')}"
    failures = [f"{test}: {text}" for test, text in ended.items() if text is not None]
    assert not failures, "\n".join(failures)


@cache
def _results(name: str) -> dict[str, str | None]:
    """{test: its failure, or None}; under "" what the process said."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        arguments = [str(comfyui_checkout()), str(ROOT), folder, str(FOLDER / f"{name}.py"), str(report)]
        command = [sys.executable, "-c", RUNNER, *arguments]
        environment = {name: value for name, value in os.environ.items() if name != REPORT}  # it is part of a test
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        results: dict[str, str | None] = {"": (done.stdout + done.stderr)[-4000:]}
        if report.exists():
            for test in ElementTree.parse(report).iter("testcase"):
                broken = [part.text or "" for part in test if part.tag in ("failure", "error")]
                results[str(test.get("name"))] = broken[0][-4000:] if broken else None
        return results
