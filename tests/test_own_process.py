"""What a process of our own asks for: memory that is freed stays with it, and threads wait briefly."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from types import SimpleNamespace

import pytest

from tests.support.cli_run import run_python
from vfe.own_process import keep_freed_memory, wait_briefly


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_malloc_takes_what_it_is_told() -> None:
    """It returns 1 for what it takes."""
    answers = []

    def record(library: ctypes.CDLL) -> object:
        return SimpleNamespace(mallopt=lambda *told: answers.append((told, library.mallopt(*told))))

    with pytest.MonkeyPatch.context() as patch:
        libc = ctypes.CDLL(None)
        patch.setattr("ctypes.CDLL", lambda _: record(libc))
        keep_freed_memory()
    for option, value in ((-4, 65536), (-1, 128 << 10)):  # as it was: other tests of this process measure memory
        libc.mallopt(option, value)
    assert answers == [((-4, 0), 1), ((-1, 1 << 30), 1)]


def test_another_malloc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_elsewhere_nothing_is_done(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked for a library"))
    keep_freed_memory()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"GOMP_SPINCOUNT": "5000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_what_the_environment_says_of_waiting_counts(
    given: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", dict(given))
    wait_briefly()
    assert os.environ == expected


def test_the_command_sets_it_before_torch_is_there() -> None:
    script = """
import os, sys
import vfe.cli
assert "torch" not in sys.modules
sys.argv = ["vfe", "info", "no such file"]
vfe.cli.main()
print(os.environ.get("GOMP_SPINCOUNT"))
"""
    assert run_python("-c", script).out.strip() == "5000"
