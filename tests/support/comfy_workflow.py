"""Workflow files as the page saves them, turned into the prompts that the page would send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.comfy_server import ComfyServer, Graph, Run
from tests.support.paths import ROOT

WORKFLOWS = ROOT / "workflows"
LITE = "Restore face video (lite)"
ONLY_ON_THE_PAGE = {"MarkdownNote", "Note"}
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
"""A list whose choice brings inputs of its own, which are called "list.input"."""
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC}

NodeInfo = dict[str, Any]
"""What /object_info says of one class of nodes."""


def read_workflow(title: str) -> dict[str, Any]:
    """A template of the pack."""
    workflow = json.loads((WORKFLOWS / f"{title}.json").read_text(encoding="utf-8"))
    assert isinstance(workflow, dict)
    return workflow


def titles() -> list[str]:
    """Names of the templates, as the dialog shows them."""
    return sorted(path.stem for path in WORKFLOWS.glob("*.json"))


def to_prompt(workflow: dict[str, Any], info: dict[str, NodeInfo]) -> Graph:
    """The prompt of a workflow without subgraphs.

    Raises AssertionError where a node has another set of widgets than the file has values for.
    """
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph: Graph = {}
    for node in workflow["nodes"]:
        if node["type"] in ONLY_ON_THE_PAGE:
            continue
        inputs = widget_values(node, info[node["type"]])
        linked = {slot["name"]: sources[slot["link"]] for slot in node["inputs"] if slot.get("link") is not None}
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs | linked}
    return graph


def widget_values(node: dict[str, Any], info: NodeInfo) -> dict[str, Any]:
    """Values of the widgets by name, from the list that a file has."""
    return _taken(list(node.get("widgets_values") or []), info["input"], "")


def _taken(values: list[Any], inputs: dict[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, options in widgets_of(inputs).items():
        if not values and name in inputs.get("optional", {}):  # newer than the file
            continue
        assert values, f"no value for {prefix}{name}"
        found[prefix + name] = values.pop(0)
        if options.get("control_after_generate"):
            values.pop(0)
        for choice in options.get("options", ()):
            if isinstance(choice, dict) and choice["key"] == found[prefix + name]:
                found |= _taken(values, choice["inputs"], f"{prefix}{name}.")
    return found


def widgets_of(inputs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Options of the inputs that are widgets, in order."""
    fields = {**inputs.get("required", {}), **inputs.get("optional", {})}
    options = {name: (field[1] if len(field) > 1 else {}) for name, field in fields.items()}
    return {
        name: options[name]
        for name, field in fields.items()
        if (isinstance(field[0], list) or field[0] in WIDGET_TYPES) and not options[name].get("forceInput")
    }


def node_of(graph: Graph, kind: str) -> dict[str, Any]:
    """The only node of a class."""
    (node,) = [node for node in graph.values() if node["class_type"] == kind]
    return node


def id_of(graph: Graph, kind: str) -> str:
    """Its number."""
    return next(number for number, node in graph.items() if node["class_type"] == kind)


def saved(server: ComfyServer, graph: Graph, run: Run) -> Path:
    """The file that Save Video wrote."""
    assert run.status == "success", run.error
    (file,) = run.outputs[id_of(graph, "SaveVideo")]["images"]
    return server.base / "output" / file["subfolder"] / file["filename"]
