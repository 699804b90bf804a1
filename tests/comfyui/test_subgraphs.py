"""The pack's subgraph blueprint: the server lists it, its nodes are those of today, it runs, the page has it."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser_page import ComfyPage, browser, comfy_page, has_new_nodes, show
from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.comfy_server import PACK, ComfyServer, Graph
from tests.support.comfy_workflow import saved, widget_values, widgets_of
from tests.support.graph_layout import boxes_of, untidy
from tests.support.paths import ROOT

__all__ = ["browser", "comfy_page"]

TITLE = "Restore face video"
FILE = ROOT / "subgraphs" / f"{TITLE}.json"
SOURCE, RESULT = -10, -20
"""The numbers of a subgraph's own input and output."""
FRAMES = 5
PROMPT = (
    "async () => Object.values((await app.graphToPrompt()).output).map(({class_type, inputs}) => [class_type, inputs])"
)
WIDGETS = "() => app.graph.nodes.map((node) => [node.getTitle(), (node.widgets ?? []).map((widget) => widget.name)])"


@pytest.fixture(scope="module")
def blueprint() -> dict[str, Any]:
    """The file."""
    read = json.loads(FILE.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def inside(blueprint: dict[str, Any]) -> dict[str, Any]:
    """Its only subgraph."""
    (subgraph,) = blueprint["definitions"]["subgraphs"]
    assert isinstance(subgraph, dict)
    return subgraph


def with_clip(blueprint: dict[str, Any], info: dict[str, Any], clip: Path) -> Graph:
    """The prompt of a graph that loads a clip, sends it through the subgraph and saves it."""
    subgraph = inside(blueprint)
    graph: Graph = {
        str(node["id"]): {"class_type": node["type"], "inputs": widget_values(node, info[node["type"]])}
        for node in subgraph["nodes"]
    }
    names = {node["id"]: [slot["name"] for slot in node["inputs"]] for node in subgraph["nodes"]}
    graph["load"] = {"class_type": "LoadVideo", "inputs": {"file": clip.name}}
    save = {"filename_prefix": "video/sub", "format": "auto", "codec": "auto", "format.codec": "auto"}
    graph["save"] = {"class_type": "SaveVideo", "inputs": save}
    for link in subgraph["links"]:
        source = ["load", 0] if link["origin_id"] == SOURCE else [str(link["origin_id"]), link["origin_slot"]]
        if link["target_id"] != RESULT:
            graph[str(link["target_id"])]["inputs"][names[link["target_id"]][link["target_slot"]]] = source
        elif link["target_slot"] == 0:
            graph["save"]["inputs"]["video"] = source
    return graph


def test_its_nodes_are_apart(blueprint: dict[str, Any]) -> None:
    assert untidy(boxes_of(inside(blueprint)), []) == []


def test_the_server_lists_it_and_gives_its_file(comfy_server: ComfyServer, blueprint: dict[str, Any]) -> None:
    try:
        listed = comfy_server.get("/global_subgraphs")
    except urllib.error.HTTPError:
        pytest.skip("this ComfyUI has no subgraph blueprints of packs yet")
    ours = {key: entry for key, entry in listed.items() if entry["info"]["node_pack"] == f"custom_nodes.{PACK}"}
    ((key, entry),) = ours.items()
    assert entry["name"] == TITLE
    assert json.loads(comfy_server.get(f"/global_subgraphs/{key}")["data"]) == blueprint


def test_what_it_shows_is_of_its_nodes(comfy_server: ComfyServer, blueprint: dict[str, Any]) -> None:
    info, subgraph = comfy_server.get("/object_info"), inside(blueprint)
    kinds = {str(node["id"]): info[node["type"]] for node in subgraph["nodes"]}
    for number, widget in blueprint["nodes"][0]["properties"]["proxyWidgets"]:
        assert widget in widgets_of(kinds[number]["input"])
    assert subgraph["category"] == info["VFE_EnhanceFaceVideo"]["category"]


def test_it_restores_a_clip(comfy_server: ComfyServer, blueprint: dict[str, Any]) -> None:
    clip = write_clip(comfy_server.base / "input" / "sub.mp4", Clip(frames=FRAMES, audio=True))
    graph = with_clip(blueprint, comfy_server.get("/object_info"), clip)
    assert len(read_pixels(saved(comfy_server, graph, comfy_server.run(graph)))) == FRAMES


def test_the_page_has_it_as_one_node(comfy_page: ComfyPage, blueprint: dict[str, Any]) -> None:
    if not has_new_nodes(comfy_page.server):
        pytest.skip("this ComfyUI has no subgraph blueprints of packs yet, or a page that shows none of their widgets")
    comfy_page.page.evaluate("(graph) => app.loadGraphData(graph)", blueprint)
    comfy_page.page.wait_for_function("() => app.graph.nodes.length === 1 && app.graph.nodes[0].widgets?.length")
    ((title, widgets),) = comfy_page.evaluate(WIDGETS)
    assert title == TITLE
    assert set(widgets) >= {name for _, name in blueprint["nodes"][0]["properties"]["proxyWidgets"]}
    sent = dict(comfy_page.evaluate(PROMPT))
    assert sent.keys() == {"VFE_LoadWanRestorer", "VFE_EnhanceFaceVideo"}
    assert sent["VFE_EnhanceFaceVideo"]["region"] == "auto"
    assert comfy_page.errors == []
    show(comfy_page, "blueprint.png")
