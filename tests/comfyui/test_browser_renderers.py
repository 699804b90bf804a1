"""The page's two renderers, the canvas and Nodes 2.0: nodes with the inputs that are meant, and runs to their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.browser_page import ComfyPage, browser, comfy_page, rendered, show
from tests.support.clips import read_pixels
from tests.support.comfy_workflow import read_workflow, titles, widgets_of
from tests.support.graph_layout import untidy
from tests.support.short_demo import FRAMES, SIDE, short_demo

__all__ = ["browser", "comfy_page", "rendered", "short_demo"]

PHOTO, FOLDER = "Restore a photo (lite)", "Restore a folder of clips (lite)"
LITE_TITLES = [title for title in titles() if "(lite)" in title and title not in (PHOTO, FOLDER)]
RUN_MS = 300_000  # on a busy machine
ADD_ALL = """(kinds) => kinds.map((kind) => {
  const node = LiteGraph.createNode(kind);
  app.graph.add(node);
  const names = (found) => (found ?? []).map((each) => each.name);
  const sockets = (node.inputs ?? []).filter((input) => !input.widget);
  return { kind, widgets: names(node.widgets), sockets: names(sockets) };
})"""
PROMPT = (
    "async () => Object.values((await app.graphToPrompt()).output).map(({class_type, inputs}) => [class_type, inputs])"
)
PHOTO_SHOWN = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.images?.[0]?.type === 'output')"
FINISHED = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.vfe_compare)"
SHOWN = "() => [...document.querySelectorAll('video')].every((video) => video.readyState >= 2)"
PLAYS = "() => [...document.querySelectorAll('.vfe-compare video')].every((video) => video.currentTime > 0.1)"
HIDDEN_IN_NOTES = """() => [...document.querySelectorAll('[class*=comfy-markdown], [class*=comfy-markdown] *')]
  .filter((element) => element.clientWidth > 0 && element.textContent)
  .filter((each) => each.scrollHeight > each.clientHeight + 2 || each.scrollWidth > each.clientWidth + 2)
  .map((element) => element.textContent)"""
"""The texts in notes of which a part is only seen by scrolling."""
DRAWN = """([isCanvas, count]) => app.graph.nodes.length === count &&
  (isCanvas || document.querySelectorAll('[data-node-id]').length === count)"""


def test_the_nodes_have_the_inputs_that_are_meant(rendered: ComfyPage) -> None:
    """A type for which ComfyUI gets a widget of its own would make one of a socket, and send its value."""
    info = {name: node for name, node in rendered.server.get("/object_info").items() if name.startswith("VFE_")}
    rendered.evaluate("() => app.graph.clear()")
    for node in rendered.page.evaluate(ADD_ALL, list(info)):
        known = info[node["kind"]]
        fields = {**known["input"].get("required", {}), **known["input"].get("optional", {})}
        widgets = list(widgets_of(known["input"]))
        own = {"VFE_CompareVideos": ["player"], "VFE_FaceMask": ["picker"]}.get(node["kind"], [])
        assert sorted(node["widgets"]) == sorted([*widgets, *own]), node["kind"]
        assert sorted(node["sockets"]) == sorted(fields.keys() - set(widgets)), node["kind"]
    sent = dict(rendered.evaluate(PROMPT))
    assert "detections" not in sent["VFE_FaceMask"]
    assert sent["VFE_FaceMask"]["faces"] == "all"


@pytest.mark.parametrize(
    "more",
    [[], [{"x": 0, "y": 0, "width": 512, "height": 512}], [{"x": 0, "y": 0, "width": 9, "height": 9}, 0, 0, 9, 9]],
    ids=["as-ever", "with-a-box", "with-a-box-and-its-sides"],
)
def test_saved_workflows_keep_their_values(comfy_page: ComfyPage, more: list[Any]) -> None:
    """Also those of a Face Mask that had a box among its widgets."""
    values = ["largest", 40, 0.1, 2.0, 512]
    node = {"id": 1, "type": "VFE_FaceMask", "pos": [0, 0], "size": [300, 200], "widgets_values": [*values, *more]}
    graph = {"version": 0.4, "nodes": [node], "links": [], "last_node_id": 1, "last_link_id": 0}
    comfy_page.page.evaluate("(graph) => app.loadGraphData(graph)", graph)
    ((_, sent),) = comfy_page.evaluate(PROMPT)
    assert list(sent.values()) == values


@pytest.mark.parametrize("title", LITE_TITLES)
def test_a_lite_template_runs_to_its_end(rendered: ComfyPage, short_demo: Path, title: str) -> None:
    rendered.server.free()
    rendered.open_template(title)
    rendered.press_run()
    rendered.page.wait_for_function(FINISHED, timeout=RUN_MS)
    rendered.server.wait_until_idle()
    for condition in (SHOWN, PLAYS):
        rendered.page.wait_for_function(condition, timeout=RUN_MS)
    show(rendered, f"{title}.png")
    newest = max((rendered.server.base / "output" / "video").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.stat().st_mtime_ns > short_demo.stat().st_mtime_ns
    assert read_pixels(newest).shape == (FRAMES, SIDE, SIDE, 3)
    assert_tidy(rendered, title)


def test_the_photo_template_runs_to_its_end(rendered: ComfyPage) -> None:
    rendered.open_template(PHOTO)
    rendered.press_run()
    rendered.page.wait_for_function(PHOTO_SHOWN, timeout=RUN_MS)
    show(rendered, f"{PHOTO}.png")
    assert_tidy(rendered, PHOTO)


def assert_tidy(page: ComfyPage, title: str) -> None:
    """No node covers another, no link runs behind a node or backwards, and the page has met no error."""
    boxes, wires = page.layout()
    workflow = read_workflow(title)
    assert (len(boxes), len(wires)) == (len(workflow["nodes"]), len(workflow["links"]))
    assert untidy(boxes, wires) == []
    assert page.errors == []


def test_templates_are_tidy_where_they_are_drawn(rendered: ComfyPage) -> None:
    """As they are opened; `test_layout.py` has the same by the numbers in the files."""
    for title in titles():
        workflow = read_workflow(title)
        rendered.page.evaluate("(graph) => app.loadGraphData(graph)", workflow)
        rendered.page.wait_for_function(DRAWN, arg=[rendered.is_canvas, len(workflow["nodes"])])
        rendered.page.wait_for_timeout(1000)  # Nodes 2.0 measures its nodes after it has drawn them
        show(rendered, f"opened {title}.png")
        boxes, wires = rendered.layout()
        assert len(wires) == len(workflow["links"])
        assert untidy(boxes, wires) == [], title


def test_the_notes_of_templates_show_all_of_their_text(rendered: ComfyPage) -> None:
    """Alone on the page: the models of some templates are missing here, of which ComfyUI complains in a dialog."""
    for title in titles():
        (note,) = (node for node in read_workflow(title)["nodes"] if node["type"] == "MarkdownNote")
        graph = {"version": 0.4, "nodes": [note], "links": [], "last_node_id": note["id"], "last_link_id": 0}
        rendered.page.evaluate("(graph) => app.loadGraphData(graph)", graph)
        heading = note["widgets_values"][0].partition("\n")[0].strip("# ")
        rendered.page.get_by_role("heading", name=heading).wait_for()
        assert rendered.evaluate(HIDDEN_IN_NOTES) == [], title
