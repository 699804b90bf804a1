"""What a user sees: templates, a run, the result playing, help and Chinese, on ComfyUI's page in a real browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.browser_page import ComfyPage, browser, comfy_page, rendered, show
from tests.support.clips import Clip, write_clip
from tests.support.comfy_server import ComfyServer
from tests.support.comfy_workflow import LITE, read_workflow, titles
from tests.support.paths import ROOT

__all__ = ["browser", "comfy_page", "rendered"]

PHOTO, FOLDER = "Restore a photo (lite)", "Restore a folder of clips (lite)"
RUN_MS = 300_000  # on a busy machine
# Nodes of the graph: what they are, whether the page knows them, and how they look.
NODES = """() => app.graph.nodes.map((node) => ({
  type: node.type, known: node.type in LiteGraph.registered_node_types, errors: Boolean(node.has_errors),
  width: node.size[0], height: node.size[1], widgets: (node.widgets ?? []).map((widget) => widget.name),
}))"""


def wait_for_player(page: ComfyPage) -> None:
    """Until the player has both videos."""
    page.page.wait_for_selector(".vfe-compare:not(.empty)", timeout=RUN_MS)
    both = "() => [...document.querySelectorAll('.vfe-compare video')].every((video) => video.readyState >= 2)"
    page.page.wait_for_function(both, timeout=RUN_MS)


@pytest.fixture
def after_run(rendered: ComfyPage) -> ComfyPage:
    """The lite template after Run."""
    rendered.open_template(LITE)
    rendered.press_run()
    done = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.vfe_compare)"
    rendered.page.wait_for_function(done, timeout=RUN_MS)
    wait_for_player(rendered)
    return rendered


@pytest.mark.parametrize("title", titles())
def test_a_template_opens_from_the_dialog_with_every_node(comfy_page: ComfyPage, title: str) -> None:
    comfy_page.open_template(title)
    expected = [node["type"] for node in read_workflow(title)["nodes"]]
    nodes: list[dict[str, Any]] = comfy_page.evaluate(NODES)
    assert sorted(node["type"] for node in nodes) == sorted(expected)
    assert [node["type"] for node in nodes if not node["known"]] == []
    # A page of 2026 marks, at a moment of its own, nodes that name a model file which the user does not have.
    may_be_marked = set() if "lite" in title else {"VFE_LoadWanRestorer", "CLIPLoader"}
    assert {node["type"] for node in nodes if node["errors"]} <= may_be_marked
    assert comfy_page.errors == []


def test_what_the_templates_load_is_put_among_the_inputs(comfy_page: ComfyPage) -> None:
    photo, clip = (comfy_page.server.base / "input" / f"vfe_demo.{end}" for end in ("png", "mp4"))
    for title, file in ((PHOTO, photo), (LITE, clip)):
        file.unlink(missing_ok=True)
        comfy_page.open()
        comfy_page.open_template(title)
        assert file.read_bytes() == (ROOT / "web" / "demo" / file.name).read_bytes()
    comfy_page.open()
    comfy_page.open_template(FOLDER)
    demos = [path for path in (ROOT / "web" / "demo").iterdir() if path.suffix in (".mp4", ".png")]
    for demo in demos:
        assert (comfy_page.server.base / "input" / "vfe_demo" / demo.name).read_bytes() == demo.read_bytes()
    clip.write_bytes(b"the user's own")
    comfy_page.open()
    comfy_page.open_template(LITE)
    assert clip.read_bytes() == b"the user's own"
    clip.unlink()


def test_run_gives_a_result_that_plays_and_a_divider_that_drags(after_run: ComfyPage) -> None:
    page = after_run.page
    page.wait_for_function("() => document.querySelector('.vfe-compare-after').currentTime > 0.2")
    first = after_run.videos()
    page.wait_for_timeout(500)
    second = after_run.videos()
    for before, after in zip(first, second, strict=True):
        assert not before["paused"]
        assert before["error"] is None
        assert before["width"] == 384
        assert after["time"] != before["time"]
    box = page.locator(".vfe-compare-frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 3, steps=5)
    page.mouse.up()
    assert page.locator(".vfe-compare-divider").get_attribute("aria-valuenow") == "25"
    assert after_run.errors == []


def test_the_player_has_the_last_run_again_after_a_reload(after_run: ComfyPage) -> None:
    shown = "() => [...document.querySelectorAll('.vfe-compare video')].map((video) => video.src)"
    sources = after_run.evaluate(shown)
    after_run.page.wait_for_timeout(1500)  # the page saves its state after a moment
    after_run.open()
    wait_for_player(after_run)
    assert after_run.evaluate(shown) == sources
    assert all(video["paused"] for video in after_run.videos())


def test_a_template_that_is_opened_again_starts_empty(comfy_page: ComfyPage) -> None:
    """What the server remembers of an earlier run of the template belongs to that workflow alone."""
    comfy_page.open_template(LITE)
    workflow, node = comfy_page.evaluate(
        "() => [app.graph.id, app.graph.nodes.find((node) => node.type === 'VFE_CompareVideos').id]"
    )
    run_comparison(comfy_page.server, workflow, str(node))
    shown = [run for run in comfy_page.server.get("/history").values() if str(node) in run["outputs"]]
    assert workflow in {run["prompt"][3]["extra_pnginfo"]["workflow"]["id"] for run in shown}
    comfy_page.evaluate("() => app.graph.clear()")  # else the test cannot see when the other one is there
    comfy_page.open_template(LITE)
    comfy_page.page.wait_for_timeout(3000)  # the history of runs comes from the server
    assert comfy_page.page.locator(".vfe-compare:not(.empty)").count() == 0
    assert comfy_page.page.locator(".vfe-compare.empty").count() == 1


def run_comparison(server: ComfyServer, workflow: str, node: str) -> None:
    """A run of a workflow's comparison, as the page sends it; the rest of the workflow is left out."""
    video = write_clip(server.base / "input" / "compared.mp4", Clip(frames=5))
    graph = {
        "load": {"class_type": "LoadVideo", "inputs": {"file": video.name}},
        node: {
            "class_type": "VFE_CompareVideos",
            "inputs": {"before": ["load", 0], "after": ["load", 0], "frame_rate": 25.0},
        },
    }
    server.post("/prompt", {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": {"id": workflow}}}})
    server.wait_until_idle()


def test_the_wheel_enlarges_the_picture_and_not_the_graph(after_run: ComfyPage) -> None:
    """Once the player has the focus; Nodes 2.0 gives the wheel to nobody else."""
    page = after_run.page
    scale = after_run.evaluate("() => app.canvas.ds.scale")
    box = page.locator(".vfe-compare-frame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.4)  # it stands still now
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.wait_for_function("() => document.querySelector('.vfe-compare-zoom').textContent === '244 %'", timeout=20_000)
    assert after_run.evaluate("() => app.canvas.ds.scale") == scale
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7, steps=4)
    page.mouse.up()
    left = after_run.evaluate("() => document.querySelector('.vfe-compare-frame').style.getPropertyValue('--left')")
    assert float(left.rstrip("%")) == pytest.approx(-60 * (1.25**4 - 1) - 10, abs=1)
    assert page.locator(".vfe-compare-divider").get_attribute("aria-valuenow") is None  # it was not moved
    show(after_run, "enlarged.png")
    assert after_run.errors == []


def test_keys_of_the_player_leave_the_graph_alone(after_run: ComfyPage) -> None:
    count = len(after_run.evaluate(NODES))
    for key in ("Space", "End", "ArrowLeft", "l", "m"):
        after_run.player.press(key)
    assert after_run.page.locator(".vfe-compare-time").text_content() == "49 / 50"
    assert len(after_run.evaluate(NODES)) == count


def test_a_help_page_shows(comfy_page: ComfyPage) -> None:
    comfy_page.open_template(LITE)
    comfy_page.evaluate(
        "() => app.canvas.selectItems([app.graph.nodes.find((node) => node.type === 'VFE_CompareVideos')])"
    )
    comfy_page.page.get_by_test_id("info-button").click()
    comfy_page.page.get_by_text("The keys work after a click on the player.").wait_for()


@pytest.fixture
def chinese_page(comfy_page: ComfyPage) -> ComfyPage:
    """ComfyUI set to Chinese."""
    comfy_page.open(Comfy__Locale="zh")
    return comfy_page


def test_the_page_speaks_chinese(chinese_page: ComfyPage) -> None:
    chinese_page.open_template(LITE)
    texts = json.loads((ROOT / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
    found = "() => Object.fromEntries(app.graph.nodes.map((node) => [node.type, node.getTitle()]))"
    seen = {name: title for name, title in chinese_page.evaluate(found).items() if name in texts}
    assert seen == {name: texts[name]["display_name"] for name in seen}
    assert seen
    assert chinese_page.page.locator(".vfe-compare-label.left").text_content() == "修复前"
    note = "() => app.graph.nodes.find((node) => node.type === 'MarkdownNote')"
    assert chinese_page.evaluate(f"() => ({note})().widgets[0].value").startswith("## 修复人脸视频")
    assert chinese_page.evaluate(f"() => ({note})().title") == "使用说明"
