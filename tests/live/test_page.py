"""The page of a live run in a browser: the picture, the figures, before and after."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.browser_page import browser
from vfe.live.frame import LiveFrame, ShownFrame
from vfe.live.meter import Meter
from vfe.live.outputs.http import HttpOutput

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]
WIDTH, HEIGHT = 320, 180
BEFORE, AFTER = (200, 60, 40), (40, 160, 80)
PIXEL = """() => {
  const picture = document.getElementById("picture");
  const canvas = new OffscreenCanvas(picture.naturalWidth || 1, picture.naturalHeight || 1);
  const brush = canvas.getContext("2d");
  brush.drawImage(picture, 0, 0);
  const at = (x) => [...brush.getImageData(x, canvas.height / 2, 1, 1).data].slice(0, 3);
  return { width: canvas.width, left: at(canvas.width / 8), right: at(canvas.width - canvas.width / 8) };
}"""
START_MS = 60_000


class Run:
    """Shows two colours until it is over: the one before, the other after."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.output = HttpOutput("127.0.0.1", 0, lambda: self.meter.figures().as_dict())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(20)
        self.output.close()

    def _show(self) -> None:
        before, after = (np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in (BEFORE, AFTER))
        number = 0
        while not self._over.wait(0.04):
            self.meter.came()
            taken = self.meter._clock() - 0.2
            self.output.show(ShownFrame(LiveFrame(number, taken, before), after))
            self.meter.went(taken)
            self.meter.restored(1, 0.1)
            number += 1


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run()
    yield made
    made.end()


@pytest.fixture
def page(browser: Browser, run: Run) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 700}, locale="en-GB")
    opened = context.new_page()
    opened.on("pageerror", lambda error: pytest.fail(str(error)))
    opened.goto(run.output.where, timeout=START_MS)
    yield opened
    context.close()


def wait_for_colours(page: Page, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Wait until the picture has these colours in its halves."""
    near = "(a, b) => a.every((value, index) => Math.abs(value - b[index]) < 12)"
    script = f"([left, right]) => {{ const near = {near}, seen = ({PIXEL})();"
    script += " return near(seen.left, left) && near(seen.right, right); }"
    page.wait_for_function(script, arg=[list(left), list(right)], timeout=START_MS)


def show(page: Page, name: str) -> None:
    if folder := os.environ.get("VFE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"live {name}")


def test_the_stream_is_seen_and_toggled(page: Page) -> None:
    wait_for_colours(page, AFTER, AFTER)
    assert page.evaluate(PIXEL)["width"] == WIDTH
    page.get_by_role("button", name="Before").click()
    wait_for_colours(page, BEFORE, BEFORE)
    assert page.get_by_role("button", name="Before").get_attribute("aria-pressed") == "true"
    page.keyboard.press("2")
    wait_for_colours(page, BEFORE, AFTER)
    show(page, "halves.png")
    page.keyboard.down(" ")
    wait_for_colours(page, BEFORE, BEFORE)
    page.keyboard.up(" ")
    wait_for_colours(page, BEFORE, AFTER)


def test_the_figures_are_seen(page: Page) -> None:
    page.wait_for_function("() => /\\d ms/.test(document.getElementById('delay').textContent)", timeout=START_MS)
    delay = page.locator("#delay").inner_text()
    assert 195 <= int(delay.split()[0]) < 20_000
    assert page.locator("#dropped").inner_text().startswith("0 %")
    assert page.locator("#faces").inner_text().strip() == "1"
    page.wait_for_function("() => document.getElementById('curve').points.length > 2", timeout=START_MS)


def test_the_end_is_said(page: Page, run: Run) -> None:
    wait_for_colours(page, AFTER, AFTER)
    run.end()
    page.get_by_text("The run has ended.").wait_for(timeout=START_MS)
    show(page, "ended.png")


def test_in_chinese(browser: Browser, run: Run) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(run.output.where, timeout=START_MS)
    assert page.get_by_role("button", name="修复前").is_visible()
    wait_for_colours(page, AFTER, AFTER)
    show(page, "zh.png")
    context.close()
