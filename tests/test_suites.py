"""The end of a test run says which suites ran, and which did not and why."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import comfy_suite
from tests.support.comfy_checkout import why_no_comfyui
from tests.support.paths import ROOT
from tests.support.suites import REPORT

TESTS = """
import pytest

def test_plain():
    pass

@pytest.mark.slow
def test_slow():
    assert False

@pytest.mark.comfy
@pytest.mark.page
def test_page():
    pass

@pytest.mark.gpu
def test_gpu():
    pytest.skip("no CUDA device")
"""


def test_what_ran_is_said_by_suite(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    marks = "".join(f"  {name}: {name}\n" for name in ("slow", "comfy", "page", "gpu"))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{marks}")
    (tmp_path / "conftest.py").write_text(
        "from tests.support.suites import SuiteReport\n"
        "def pytest_configure(config): config.pluginmanager.register(SuiteReport())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), REPORT: str(tmp_path / "lines")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = ["quick: 1 passed", "slow: 1 failed", "gpu: 1 skipped (no CUDA device: 1)", "page: 1 passed"]
    assert (tmp_path / "lines").read_text().splitlines() == lines
    assert "\n".join(lines) in done.stdout


def test_without_comfyui_the_tests_of_nodes_are_skipped_by_name(tmp_path: Path) -> None:
    """Their modules import ComfyUI, so that they cannot be imported; no test is passed over in silence."""
    names = re.findall(r"^def (test_\w+)", (ROOT / "tests/nodes/test_lite.py").read_text(encoding="utf-8"), re.M)
    environment = {**os.environ, "COMFYUI_DIR": str(tmp_path), REPORT: str(tmp_path / "lines")}
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests/nodes/test_lite.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"test_lite\.py::(\S+) SKIPPED", done.stdout) == names
    reason = f"COMFYUI_DIR={tmp_path} holds no ComfyUI"
    assert (tmp_path / "lines").read_text() == f"comfy: {len(names)} skipped ({reason}: {len(names)})\n"


def test_a_folder_without_comfyui_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_DIR", str(tmp_path))
    assert why_no_comfyui() == f"COMFYUI_DIR={tmp_path} holds no ComfyUI"
    (tmp_path / "main.py").touch()
    assert why_no_comfyui() is None


def test_no_environment_for_comfyui_is_said_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the packages cannot be downloaded."""
    (tmp_path / "main.py").touch()
    (tmp_path / "requirements.txt").write_text("no-package-of-this-name-exists==1\n")
    monkeypatch.setenv("COMFYUI_DIR", str(tmp_path))
    monkeypatch.setenv(REPORT, str(tmp_path / "lines"))
    monkeypatch.delenv("COMFYUI_PYTHON", raising=False)
    monkeypatch.setattr(comfy_suite, "CACHE", tmp_path)
    monkeypatch.setattr(comfy_suite, "INSTALL", ("--no-index",))
    assert comfy_suite.main([]) == 0
    assert "comfy, page: skipped (installing ComfyUI's requirements failed: ERROR" in capsys.readouterr().out
    assert (tmp_path / "lines").read_text().startswith("comfy, page: skipped")
