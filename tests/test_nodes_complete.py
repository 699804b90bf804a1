"""Each node has its place in the list, texts, a help page and a test that runs it; seen without ComfyUI."""

from __future__ import annotations

import json

import pytest

from tests.support.node_sources import NODES, NodeFact, listed_nodes, node_facts, nodes_in
from tests.support.paths import ROOT

FACTS = node_facts()


def gaps(fact: NodeFact, listed: list[str], cases: str) -> list[str]:
    """What a node lacks."""
    lacking = [] if fact.name in listed else ["NODES in nodes/__init__.py"]
    for language in ("en", "zh"):
        path = ROOT / "locales" / language / "nodeDefs.json"
        if fact.node_id not in json.loads(path.read_text(encoding="utf-8")):
            lacking.append(str(path.relative_to(ROOT)))
    page = ROOT / "web/docs" / f"{fact.node_id}.md"
    if not page.is_file() or not page.read_text(encoding="utf-8").startswith(f"# {fact.display_name}\n"):
        lacking.append(str(page.relative_to(ROOT)))
    if f'"{fact.node_id.removeprefix("VFE_")}"' not in cases and f'"class_type": "{fact.node_id}"' not in cases:
        lacking.append("a run inside ComfyUI")
    return lacking


def all_cases() -> str:
    """The tests that run nodes: inside ComfyUI's process, and as prompts to its server."""
    folders = (ROOT / "tests/nodes", ROOT / "tests/comfyui")
    files = [path for folder in folders for path in sorted(folder.glob("test_*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_file_of_a_node_is_found() -> None:
    """Else the tests below would be about nothing."""
    assert len(FACTS) == len(listed_nodes((NODES / "__init__.py").read_text(encoding="utf-8"))) > 0


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_node_has_all_that_belongs_to_it(fact: NodeFact) -> None:
    assert gaps(fact, listed_nodes((NODES / "__init__.py").read_text(encoding="utf-8")), all_cases()) == []


def test_what_a_new_node_lacks_is_named() -> None:
    schema = 'io.Schema(node_id="VFE_New", display_name="New")'
    source = f"class New(io.ComfyNode):\n    @classmethod\n    def define_schema(cls):\n        return {schema}\n"
    (fact,) = nodes_in(source, "new.py")
    texts = ["locales/en/nodeDefs.json", "locales/zh/nodeDefs.json", "web/docs/VFE_New.md"]
    assert gaps(fact, [], "") == ["NODES in nodes/__init__.py", *texts, "a run inside ComfyUI"]
