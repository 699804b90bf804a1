"""The picker of faces: by itself in a real browser, and in the node Face Mask on ComfyUI's page with both renderers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import skimage.data
import torch
from PIL import Image

from tests.support.browser_page import ComfyPage, browser, comfy_page, rendered, show
from tests.support.comfy_server import ComfyServer
from tests.support.paths import ROOT
from tests.support.served_folder import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser", "comfy_page", "rendered"]

HTML = """<!doctype html><title>picker</title><body style="margin:0;width:330px;height:420px">
<script type="module">
import { FacePicker } from "./face_picker.js";
window.told = [];
window.picker = new FacePicker(new URLSearchParams(location.search).get("locale") ?? "en", (text) => told.push(text));
document.body.append(picker.element);
const blank = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==";
window.face = (number, more = {}) => ({ number, name: "", start: 0, stop: 9, side: 80, fits: true, chosen: true,
  colour: "#ff0000", url: blank, ...more });
</script>"""
TWO_SHOTS = """() => picker.show([
  { start: 0, stop: 9, faces: [1, 2, 3, 4, 5].map((number) => face(number, { name: number === 2 ? "Ann" : "" })) },
  { start: 9, stop: 20, faces: [face(6), face(7, { fits: false, chosen: false })] },
])"""
RUN_MS = 300_000  # on a busy machine
LOADED = "() => [...document.querySelectorAll('.vfe-picker-face img')].every((image) => image.naturalWidth > 0)"
SENT = "async () => (await app.graphToPrompt()).output[2].inputs.faces"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a page with a picker and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "face_picker.js").write_bytes((ROOT / "web" / "face_picker.js").read_bytes())
    (folder / "index.html").write_text(HTML)
    with served(folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A picker with two shots of five and two faces, the last of which is too small."""
    page = browser.new_page(viewport={"width": 330, "height": 420})
    page.goto(site)
    page.wait_for_function("() => window.picker")
    page.evaluate(TWO_SHOTS)
    yield page
    page.close()


def chosen(page: Page) -> list[int]:
    """Numbers of the faces that are in colour."""
    return [int(text) for text in page.locator(".vfe-picker-face[aria-checked=true] b").all_inner_texts()]


def told(page: Page) -> list[str]:
    """What the picker said that the choice is, each time."""
    found = page.evaluate("() => told")
    assert isinstance(found, list)
    return found


def press(page: Page, *keys: str) -> str:
    """Press keys; the number of the face that has the focus then."""
    for key in keys:
        page.keyboard.press(key)
    return str(page.evaluate("() => document.activeElement.querySelector('b')?.textContent ?? ''"))


def test_clicks_choose(page: Page) -> None:
    assert chosen(page) == [1, 2, 3, 4, 5, 6]
    for number in (5, 1, 6):
        page.get_by_role("checkbox", name=f"Face {number}").click()
    assert chosen(page) == [2, 3, 4]
    assert told(page) == ["1,2,3,4,6", "2,3,4,6", "2,3,4"]
    assert page.get_by_role("status").inner_text() == "3 of 7 faces chosen"
    page.get_by_role("button", name="All").click()
    assert told(page)[-1] == "all"
    page.get_by_role("checkbox", name="Face 2, Ann").click()
    page.get_by_role("checkbox", name="Face 2, Ann").click()
    assert told(page)[-1] == "all"


def test_keys_choose(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # after the button
    assert press(page) == "1"
    assert press(page, "ArrowRight", "ArrowRight") == "3"
    assert press(page, "ArrowLeft", " ") == "2"
    assert told(page) == ["1,3,4,5,6"]
    columns = page.evaluate("() => getComputedStyle(picker.list.children[1]).gridTemplateColumns.split(' ').length")
    assert columns == 3
    assert press(page, "ArrowDown") == "5"
    assert press(page, "ArrowDown") == "7"  # the row of the next shot
    assert press(page, " ", "Enter") == "7"
    assert press(page, "ArrowUp", "ArrowUp", "ArrowUp") == "2"
    assert press(page, "End") == "7"
    assert press(page, "Home", "Enter") == "1"
    assert told(page) == ["1,3,4,5,6", "3,4,5,6"]  # 7 is too small: nothing came of it


def test_one_face_stays(page: Page) -> None:
    page.evaluate("() => picker.mark('3')")
    page.get_by_role("checkbox", name="Face 3").click()
    assert chosen(page) == [3]
    assert told(page) == []
    assert page.get_by_role("status").inner_text() == "One face has to stay chosen."


@pytest.mark.parametrize(
    ("text", "means"),
    [("all", [1, 2, 3, 4, 5, 6]), (" 2, 4;6 ", [2, 4, 6]), ("largest", [1, 2, 3, 4, 5, 6]), ("9", [])],
)
def test_what_is_typed_is_marked(page: Page, text: str, means: list[int]) -> None:
    """Of a rule only a run says what it comes to: the last one chose six."""
    page.evaluate("(text) => picker.mark(text)", text)
    assert chosen(page) == means
    assert told(page) == []


def test_a_choice_that_comes_by_a_link_stays(page: Page) -> None:
    page.evaluate("() => picker.setLinked(true)")
    page.get_by_role("checkbox", name="Face 3").click()
    assert told(page) == []
    assert "by a link" in page.get_by_role("status").inner_text()


def test_it_speaks_chinese_and_says_what_to_do(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}?locale=zh-CN")
    page.get_by_text("运行工作流后").wait_for()
    page.evaluate("() => picker.show([])")
    page.get_by_text("没有找到人脸。").wait_for()
    page.evaluate(TWO_SHOTS)
    assert page.get_by_text("第 9 至 19 帧").is_visible()
    page.close()


@pytest.fixture
def photo(comfy_server: ComfyServer) -> Path:
    """The astronaut twice, mirrored the second time, among the inputs."""
    picture = torch.from_numpy(skimage.data.astronaut().copy())[20:220, 130:310]
    pair = torch.full((200, 480, 3), 120, dtype=torch.uint8)
    pair[:, 40:220] = picture
    pair[:, 260:440] = picture.flip(1)
    path = comfy_server.base / "input" / "two_faces.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pair.numpy()).save(path)
    return path


def workflow(photo: Path) -> dict[str, Any]:
    """Load Image, Face Mask and its sheet."""
    image = {"name": "images", "type": "IMAGE", "link": 1}
    nodes: list[dict[str, Any]] = [
        {"id": 1, "type": "LoadImage", "pos": [0, 0], "size": [300, 300], "widgets_values": [photo.name, "image"]},
        {"id": 2, "type": "VFE_FaceMask", "pos": [360, 0], "size": [380, 560], "inputs": [image]},
        {"id": 3, "type": "PreviewImage", "pos": [800, 0], "size": [380, 300]},
    ]
    nodes[0]["outputs"] = [{"name": "IMAGE", "type": "IMAGE", "links": [1]}, {"name": "MASK", "type": "MASK"}]
    nodes[1]["widgets_values"] = ["all", 0, 0.08, 1.75, 0]
    kinds = ("MASK", "FACE_TRACKS", "IMAGE", "STRING", "IMAGE")
    names = ("mask", "tracks", "overlay", "report", "sheet")
    outputs: list[dict[str, Any]] = [
        {"name": name, "type": kind, "links": []} for name, kind in zip(names, kinds, strict=True)
    ]
    outputs[4]["links"] = [2]
    nodes[1]["outputs"] = outputs
    nodes[2]["inputs"] = [{"name": "images", "type": "IMAGE", "link": 2}]
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 4, 3, 0, "IMAGE"]]
    return {"version": 0.4, "nodes": nodes, "links": links, "last_node_id": 3, "last_link_id": 2}


def faces_of(page: ComfyPage) -> str:
    """What would be sent as `faces`."""
    return str(page.evaluate(SENT))


def run(page: ComfyPage, runs: int) -> None:
    """Press Run, and wait for the faces of so many runs in all."""
    page.press_run()
    page.page.wait_for_function(f"() => (window.runs ?? 0) >= {runs}", timeout=RUN_MS)
    page.server.wait_until_idle()
    page.page.wait_for_function(LOADED, timeout=RUN_MS)


def test_faces_are_picked_in_the_node(rendered: ComfyPage, photo: Path) -> None:
    """By mouse and by keys; the next run takes the choice, and a choice that is typed is shown."""
    tab = rendered.page
    tab.evaluate("(graph) => app.loadGraphData(graph)", workflow(photo))
    tab.get_by_text("Run the workflow to see the faces here").wait_for()
    tab.evaluate(
        "() => app.api.addEventListener('executed', ({detail}) => {"
        " if (detail.output?.vfe_faces) window.runs = (window.runs ?? 0) + 1; })"
    )
    run(rendered, 1)
    first, second = (tab.get_by_role("checkbox", name=f"Face {number}") for number in (1, 2))
    assert chosen(tab) == [1, 2]
    second.click()
    assert faces_of(rendered) == "1"
    assert chosen(tab) == [1]
    assert press(tab, "ArrowLeft", "ArrowRight", " ", "ArrowLeft", " ") == "1"
    assert faces_of(rendered) == "2"
    if not rendered.is_canvas:
        assert tab.locator("[data-node-id='2'] input").first.input_value() == "2"
    run(rendered, 2)
    assert chosen(tab) == [2]
    show(rendered, "picker.png")
    outputs = rendered.evaluate("() => Object.values(app.nodeOutputs).find((output) => output.vfe_faces).vfe_faces[0]")
    assert [face["chosen"] for face in outputs["shots"][0]["faces"]] == [False, True]
    typed = "() => { const node = app.graph.getNodeById(2); const widget = node.widgets[0];"
    rendered.evaluate(typed + " widget.value = '1'; widget.callback('1'); }")
    assert chosen(tab) == [1]
    assert first.is_visible()
    assert rendered.errors == []
