"""The tests in this folder run in a process of ComfyUI: this one, from the first of their modules on.

Where ComfyUI is missing their modules cannot be imported, and each of their tests is skipped with the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.comfy_checkout import why_no_comfyui, why_not_here
from tests.support.comfy_inside import start_comfyui


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Start ComfyUI, and leave the module to pytest; without ComfyUI collect its names alone."""
    if why_no_comfyui() or why_not_here():
        return UnimportedModule.from_parent(parent, path=module_path)
    start_comfyui()
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """All of them are of the suite `comfy`, where warnings are no errors: see tests/comfy_suite.py."""
    item.add_marker("comfy")
    item.add_marker(pytest.mark.filterwarnings("default"))


class UnimportedModule(pytest.File):
    """A module of tests as its source names them, parametrised ones once."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each test."""
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield UnimportedTest.from_parent(self, name=node.name)


class UnimportedTest(pytest.Item):
    """A test that is skipped, for it has the marker `comfy`: see tests/conftest.py."""

    def runtest(self) -> None:
        """Never comes to run."""
        raise AssertionError(f"{self.name} was not skipped")


@pytest.fixture(scope="module", autouse=True)
def _models_of_its_own() -> Iterator[None]:
    """Each module begins without model files: the nodes look for some by themselves."""
    yield
    import folder_paths  # there is one where a test runs

    for path in Path(folder_paths.models_dir).rglob("*"):
        if path.is_file():
            path.unlink()
