"""Templates in ComfyUI's app mode, which shows the inputs that a template names, a button and its outputs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser_page import ComfyPage, browser, comfy_page, has_new_nodes, show
from tests.support.comfy_workflow import read_workflow, titles

__all__ = ["browser", "comfy_page"]

PHOTO = "Restore a photo (lite)"
HAS_APP_MODE = "() => app.extensionManager.command.commands.some((command) => command.id === 'Comfy.ToggleLinear')"
ENTER = "() => app.extensionManager.command.execute('Comfy.ToggleLinear')"
ITEMS = '[data-testid="app-mode-widget-item"]'
LABEL = '[data-testid="builder-widget-label"]'
LABELS = f"(items) => items.map((item) => item.querySelector('{LABEL}').textContent.trim())"
RESULT = '[data-testid="linear-center-panel"] img[src*="restored"]'
LOADERS = {"LoadVideo", "LoadImage", "VFE_EnhanceFolder"}
RUN_MS = 300_000  # on a busy machine


def app_of(title: str) -> dict[str, Any]:
    """What a template says of app mode."""
    app: dict[str, Any] = read_workflow(title)["extra"]["linearData"]
    return app


@pytest.mark.parametrize("title", titles())
def test_a_template_names_widgets_and_outputs_that_it_has(title: str) -> None:
    """First what is restored, and last a node that saves or shows what came out. It opens as a graph."""
    workflow = read_workflow(title)
    nodes = {node["id"]: node for node in workflow["nodes"]}
    app = app_of(title)
    for number, name in app["inputs"]:
        assert name in {slot["name"] for slot in nodes[number]["inputs"] if "widget" in slot}
    assert nodes[app["inputs"][0][0]]["type"] in LOADERS
    assert all(nodes[number]["type"].startswith(("Save", "Preview")) for number in app["outputs"])
    assert workflow["extra"]["linearMode"] is False


@pytest.fixture
def app_page(comfy_page: ComfyPage) -> ComfyPage:
    """A page that has app mode."""
    if not (has_new_nodes(comfy_page.server) and comfy_page.evaluate(HAS_APP_MODE)):
        pytest.skip("this ComfyUI has no app mode yet, or one that does not read what templates say")
    comfy_page.open(Comfy__OnboardingCoachmarks__Seen=["appMode"])  # its tour would cover it
    return comfy_page


def enter(page: ComfyPage, title: str) -> list[str]:
    """Open a template and app mode; the names of the inputs that it shows."""
    page.page.evaluate("(graph) => app.loadGraphData(graph)", read_workflow(title))
    page.evaluate(ENTER)
    count = len(app_of(title)["inputs"])
    page.page.wait_for_function(f"() => document.querySelectorAll('{ITEMS}').length === {count}")
    names = page.page.eval_on_selector_all(ITEMS, LABELS)
    assert isinstance(names, list)
    return names


def test_app_mode_shows_the_inputs_of_each_template(app_page: ComfyPage) -> None:
    for title in titles():
        assert enter(app_page, title) == [name for _, name in app_of(title)["inputs"]], title
        app_page.page.wait_for_timeout(500)
        show(app_page, f"app {title}.png")
    assert app_page.errors == []


def test_a_photo_is_restored_in_app_mode(app_page: ComfyPage) -> None:
    enter(app_page, PHOTO)
    app_page.page.get_by_test_id("linear-run-button").get_by_role("button", name="Run").click()
    app_page.page.wait_for_selector(RESULT, timeout=RUN_MS)
    app_page.server.wait_until_idle()
    app_page.page.wait_for_timeout(1000)
    show(app_page, "app after a run.png")
