"""Fixtures that several test modules share, and what the markers `comfy`, `page` and `gpu` need of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes share the cores: before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.support.comfy_checkout import why_no_comfyui, why_not_here
from tests.support.comfy_server import comfy_server
from tests.support.decode_guard import DecodeGuard, guarded
from tests.support.suites import SuiteReport

__all__ = ["comfy_server"]


@pytest.fixture(scope="session", autouse=True)
def _every_file_is_read_apart_first() -> Iterator[None]:
    """A file that crashes or hangs its decoder fails a test instead of ending the run."""
    guard = DecodeGuard()
    with guarded(guard):
        yield
    guard.close()


def pytest_configure(config: pytest.Config) -> None:
    """The report of suites at the end."""
    config.pluginmanager.register(SuiteReport())


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests are of the suites of the fixtures that they use."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "comfy_server" in fixtures:
            item.add_marker("comfy")
        if "browser" in fixtures:
            item.add_marker("page")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, with the reason."""
    if item.get_closest_marker("comfy") and (reason := why_no_comfyui() or why_not_here()):
        pytest.skip(reason)
    if item.get_closest_marker("gpu"):
        import torch  # only here: most runs choose no such test

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
