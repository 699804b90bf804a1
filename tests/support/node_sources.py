"""What the files of the nodes say of themselves, read without ComfyUI."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

NODES = ROOT / "nodes"


class NodeFact(NamedTuple):
    """A class that is a ComfyUI node, as its schema is written."""

    file: str
    name: str
    """Of the class."""
    node_id: str
    display_name: str


def nodes_in(source: str, file: str) -> Iterator[NodeFact]:
    """The nodes that a file defines, classes with the base `io.ComfyNode`. KeyError for a schema without names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "io.ComfyNode" for base in node.bases):
            calls = [c for c in ast.walk(node) if isinstance(c, ast.Call) and ast.unparse(c.func) == "io.Schema"]
            words = {k.arg: k.value.value for c in calls for k in c.keywords if isinstance(k.value, ast.Constant)}
            yield NodeFact(file, node.name, str(words["node_id"]), str(words["display_name"]))


def node_facts(folder: Path = NODES) -> list[NodeFact]:
    """All nodes of the pack, file by file."""
    return [fact for path in sorted(folder.rglob("*.py")) for fact in nodes_in(path.read_text("utf-8"), path.name)]


def listed_nodes(source: str) -> list[str]:
    """The classes in the list NODES of `nodes/__init__.py`."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "NODES" and isinstance(node.value, ast.List):
            return [ast.unparse(element) for element in node.value.elts]
    return []
