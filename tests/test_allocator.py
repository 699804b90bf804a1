"""Memory that is freed stays with the process of the command."""

from __future__ import annotations

import platform
import sys

import pytest

from tests.support.cli_run import run_python
from vfe.allocator import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from vfe.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()


def work():
    a, b, c = (torch.ones(6 << 20) for _ in range(3))  # 24 MiB each


for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_pages_of_freed_tensors_are_not_cleared_again() -> None:
    kept, returned = (int(run_python("-c", FAULTS, mode).out) for mode in ("kept", "returned"))
    assert returned > 4 * kept


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_elsewhere_nothing_is_done(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("asked for a library"))
    keep_freed_memory()
