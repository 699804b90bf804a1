"""ComfyUI's real web page in a real browser, for the tests of what a user sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.comfy_server import PACK, ComfyServer
from tests.support.comfy_workflow import read_workflow
from tests.support.graph_layout import Box, Wire

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A container has no sandbox to offer; a test presses no key before it wants to see a video play.
FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")
START_MS = 180_000  # on a busy machine
# ComfyUI asks for files of the user that need not exist, the internet for the size of models that are missing, and in
# 0.33, while it loads, itself for the graph that it does not have yet.
NOT_OURS = (
    "Failed to load resource",
    "Content Security Policy",
    "Error fetching file size",
    "graph accessed before initialization",
)
STUMBLE = "Cannot read properties of undefined (reading 'id')"
"""What ComfyUI 0.3.64 says of a setting of its own while it loads, also without this pack."""
READY = "() => window.app?.graph && window.app.extensionManager && document.querySelector('.side-tool-bar-container')"
FIRST_VISIT = {"Comfy.TutorialCompleted": True, "Comfy.Locale": "en", "Comfy.VueNodes.Enabled": False}
"""Settings of a user who has seen the greeting, which else opens at a moment of its own, with nodes on a canvas."""

# Boxes [number, left, top, right, bottom] of the nodes, titles included, and links [source, target, x, y, x, y] between
# their slots, in units of the graph.
LAYOUT = """(isCanvas) => {
  const { ds, canvas } = app.canvas;
  const page = canvas.getBoundingClientRect();
  const boxOf = (node) => {
    if (isCanvas) {
      const [left, top, width, height] = node.getBounding();
      return [node.id, left, top, left + width, top + height];
    }
    const box = document.querySelector(`[data-node-id="${node.id}"]`).getBoundingClientRect();
    const x = (value) => (value - page.left) / ds.scale - ds.offset[0];
    const y = (value) => (value - page.top) / ds.scale - ds.offset[1];
    return [node.id, x(box.left), y(box.top), x(box.right), y(box.bottom)];
  };
  const ends = (link) => [
    ...app.graph.getNodeById(link.origin_id).getOutputPos(link.origin_slot),
    ...app.graph.getNodeById(link.target_id).getInputPos(link.target_slot),
  ];
  const links = [...app.graph.links.values()];
  return {
    boxes: app.graph.nodes.map(boxOf),
    wires: links.map((link) => [link.origin_id, link.target_id, ...ends(link)]),
  };
}"""


@dataclass
class ComfyPage:
    """One tab of the browser with ComfyUI in it."""

    page: Page
    server: ComfyServer
    errors: list[str] = field(default_factory=list)
    """What the console complained of; only complaints that name a file of this pack or come from a script."""
    is_open: bool = False
    settings: dict[str, object] = field(default_factory=dict)
    """Those that differ from `FIRST_VISIT`."""
    is_canvas: bool = True
    """Whether the canvas draws the nodes, not Nodes 2.0."""

    def open(self, **settings: object) -> None:
        """Load the page and wait until it can be used; `settings`, with dots as two lines, hold from now on."""
        self.is_open = False
        self.settings |= {name.replace("__", "."): value for name, value in settings.items()}
        self.server.post("/settings", FIRST_VISIT | self.settings)
        self.page.goto(self.server.url, timeout=START_MS)
        self.page.wait_for_function(READY, timeout=START_MS)
        self.is_open = True

    def open_template(self, title: str) -> None:
        """By hand: the dialog of templates, its search field, and the card with this title."""
        page = self.page
        page.locator(".templates-tab-button").click()
        page.get_by_role("dialog").locator("input[type=text]").first.fill(title)
        page.get_by_role("dialog").get_by_text(title, exact=True).first.click()
        page.get_by_role("dialog").wait_for(state="hidden")
        nodes = len(read_workflow(title)["nodes"])
        page.wait_for_function(f"() => app.graph.nodes.length === {nodes}", timeout=START_MS)

    def press_run(self) -> None:
        """The button "Run"."""
        self.page.get_by_test_id("queue-button").click()

    def evaluate(self, script: str) -> Any:  # noqa: ANN401
        """Result of a JavaScript function."""
        return self.page.evaluate(script)

    @property
    def player(self) -> Locator:
        """The compare player of the only node that has one."""
        return self.page.locator(".vfe-compare")

    def layout(self) -> tuple[dict[int, Box], list[Wire]]:
        """The nodes by their numbers and the links of the graph, where the renderer has them."""
        found = self.page.evaluate(LAYOUT, self.is_canvas)
        wires = [Wire(source, target, (x0, y0), (x1, y1)) for source, target, x0, y0, x1, y1 in found["wires"]]
        return {number: Box(*sides) for number, *sides in found["boxes"]}, wires

    def videos(self) -> list[dict[str, Any]]:
        """State of both videos of the player, that of "after" first."""
        state = "v => ({time: v.currentTime, paused: v.paused, width: v.videoWidth, error: v.error?.message ?? null})"
        found = self.evaluate(f"() => [...document.querySelectorAll('.vfe-compare video')].map({state})")
        assert isinstance(found, list)
        return found

    def watch(self) -> None:
        """Note errors from now on."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in NOT_OURS):
            self.errors.append(message.text)

    def _on_error(self, error: Error) -> None:
        if self.is_open or str(error) != STUMBLE or PACK in (error.stack or ""):
            self.errors.append(str(error))


def show(page: ComfyPage, name: str) -> None:
    """Keep a picture for people, where the environment variable VFE_SCREENSHOTS names a folder."""
    if folder := os.environ.get("VFE_SCREENSHOTS"):
        page.page.screenshot(path=Path(folder) / f"{1 if page.is_canvas else 2} {name}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window; skips where it or Playwright is absent."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: no browser to test with"
    )
    named = os.environ.get("VFE_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if named is None or not Path(named).is_file():
        pytest.skip(f"no browser to test with: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=named, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def comfy_page(comfy_server: ComfyServer, browser: Browser) -> Iterator[ComfyPage]:
    """ComfyUI as a new user sees it."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = ComfyPage(context.new_page(), comfy_server)
    page.watch()
    page.open()
    yield page
    context.close()


@pytest.fixture(params=["canvas", "nodes-2"])
def rendered(request: pytest.FixtureRequest, comfy_page: ComfyPage) -> ComfyPage:
    """A page with one of the renderers."""
    is_new = request.param == "nodes-2"
    if is_new:
        if not has_new_nodes(comfy_page.server):
            pytest.skip("this ComfyUI has no Nodes 2.0 yet")
        comfy_page.open(Comfy__VueNodes__Enabled=True)
    comfy_page.is_canvas = not is_new
    return comfy_page


def has_new_nodes(server: ComfyServer) -> bool:
    """Up to ComfyUI 0.8 they are an experiment, in which the divider cannot be dragged."""
    version = server.get("/system_stats")["system"]["comfyui_version"]
    return tuple(map(int, version.split(".")[:2])) >= (0, 9)
