"""The pictures of the help pages: our nodes in the page after a run, as a user sees them.

They are made with VFE_SCREENSHOTS=FOLDER alone, as that takes minutes: one for each node, under the names that the help
pages have for them.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support.browser_page import ComfyPage, browser, comfy_page, has_new_nodes
from tests.support.paths import ROOT
from tests.support.short_demo import short_demo

__all__ = ["browser", "comfy_page", "short_demo"]

PAGES = ROOT / "web" / "docs"
WITH_VIDEO = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.vfe_compare)"
WITH_PICTURE = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.images?.[0]?.type === 'output')"
WITH_TEXT = "() => Object.values(app.nodeOutputs ?? {}).some((output) => output.text)"
RUNS = {
    "Restore face video (DVFace with prior)": None,  # there are no weights to run it
    "Restore face video (lite)": WITH_VIDEO,
    "Restore faces step by step (lite)": WITH_VIDEO,
    "Restore a photo (lite)": WITH_PICTURE,
    "Restore a folder of clips (lite)": WITH_TEXT,
}
"""What there is when a template has run; of a node that several have, the picture of the last is kept."""
RUN_MS = 300_000  # on a busy machine
OURS = "() => app.graph.nodes.filter(({ type }) => type.startsWith('VFE_')).map(({ id, type }) => [id, type])"
CENTRE = """(id) => { app.canvas.centerOnNode(app.graph.getNodeById(id)); app.canvas.ds.scale = 1;
  app.canvas.centerOnNode(app.graph.getNodeById(id)); app.canvas.setDirty(true, true); }"""


@pytest.mark.skipif("VFE_SCREENSHOTS" not in os.environ, reason="no folder for pictures in VFE_SCREENSHOTS")
@pytest.mark.parametrize("title", RUNS)
@pytest.mark.usefixtures("short_demo")
def test_nodes_after_a_run_have_their_pictures(comfy_page: ComfyPage, title: str) -> None:
    if not has_new_nodes(comfy_page.server):
        pytest.skip("the pictures are of Nodes 2.0, which this ComfyUI has not yet")
    comfy_page.open(Comfy__VueNodes__Enabled=True, Comfy__Minimap__Visible=False)
    comfy_page.open_template(title)
    if done := RUNS[title]:
        comfy_page.press_run()
        comfy_page.page.wait_for_function(done, timeout=RUN_MS)
        comfy_page.server.wait_until_idle()
    for node, kind in comfy_page.evaluate(OURS):
        comfy_page.page.evaluate(CENTRE, node)
        comfy_page.page.wait_for_timeout(700)
        drawn = comfy_page.page.locator(f'[data-node-id="{node}"]').first.screenshot()
        picture = Image.open(io.BytesIO(drawn)).convert("RGB")
        assert min(picture.size) > 100
        assert len(picture.getcolors(1 << 24) or []) > 50  # letters and lines, not an empty box
        picture.save(Path(os.environ["VFE_SCREENSHOTS"]) / picture_name(kind), quality=85)


def picture_name(kind: str) -> str:
    """VFE_FaceMask -> face_mask.jpg, VFE_VAEDecodeTiled -> vae_decode_tiled.jpg."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", kind.removeprefix("VFE_"))
    return f"{'_'.join(words).lower()}.jpg"


def test_every_help_page_has_a_picture_that_is_there() -> None:
    for page in PAGES.rglob("*.md"):
        pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        assert pictures, page
        assert all((PAGES / picture).is_file() for picture in pictures), page
