"""The compare player in a real browser, without ComfyUI around it: its two videos never show different frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.support.browser_page import browser
from tests.support.paths import ROOT
from tests.support.served_folder import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]

FRAMES, RATE, WIDTH, HEIGHT = 40, 20, 160, 90
CLIPS = {"long": FRAMES, "short": FRAMES - 10}
STEP = 6  # code values between the greys of neighbouring frames
DARKEST = 10
HTML = """<!doctype html><title>player</title><body style="margin:0;width:480px;height:330px">
<script type="module">
import { ComparePlayer } from "./compare_player.js";
window.player = new ComparePlayer(new URLSearchParams(location.search).get("locale") ?? "en");
document.body.append(player.element);
window.side = async (name, frames) => ({
  url: URL.createObjectURL(await (await fetch(`${name}.mp4`)).blob()), // this server cannot be asked for parts of files
  width: 160, height: 90, rate: 20, frames,
});
</script>"""
# The frame that each video shows, read from its grey.
SHOWN = """() => player.videos.map((video) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 1, 1);
  return Math.round((context.getImageData(0, 0, 1, 1).data[0] - DARKEST) / STEP);
})""".replace("DARKEST", str(DARKEST)).replace("STEP", str(STEP))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a page with a player, and of the clips long.mp4 and short.mp4."""
    folder = tmp_path_factory.mktemp("site")
    for script in (ROOT / "web").glob("compare_[lpz]*.js"):
        (folder / script.name).write_bytes(script.read_bytes())
    (folder / "index.html").write_text(HTML)
    for name, frames in CLIPS.items():
        write_greys(folder / f"{name}.mp4", frames)
    with served(folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The player with the long clip on both sides, before it plays."""
    page = browser.new_page(viewport={"width": 480, "height": 330})
    page.goto(site)
    load(page, "long", "long")
    yield page
    page.close()


def write_greys(path: Path, frames: int) -> None:
    """A clip each of whose frames has a grey of its own."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "4"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            image = np.full((HEIGHT, WIDTH, 3), DARKEST + STEP * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def load(page: Page, before: str, after: str, play: str = "false") -> None:
    """Show two clips and wait until their first frames are there."""
    page.wait_for_function("() => window.player && window.side")
    page.evaluate(
        f"async () => player.show(await side('{before}', {CLIPS[before]}), await side('{after}', {CLIPS[after]}), "
        f"{{play: {play}}})"
    )
    settle(page)


def settle(page: Page) -> None:
    """Wait until both videos show what they were told to."""
    page.wait_for_function("() => player.videos.every((video) => video.readyState >= 2 && !video.seeking)")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def shown(page: Page) -> tuple[int, int]:
    """The frames on the right and on the left of the divider."""
    settle(page)
    after, before = page.evaluate(SHOWN)
    return after, before


def test_steps_show_the_same_frame_on_both_sides(page: Page) -> None:
    assert shown(page) == (0, 0)
    keys = {"ArrowRight": 1, "End": FRAMES - 1, "ArrowLeft": FRAMES - 2, "Home": 0}
    for key, frame in keys.items():
        page.locator(".vfe-compare").press(key)
        assert shown(page) == (frame, frame)
        assert page.locator(".vfe-compare-time").text_content() == f"{frame + 1} / {FRAMES}"
    page.locator(".vfe-compare").press("ArrowLeft")  # there is none before the first
    assert shown(page) == (0, 0)


def test_every_frame_can_be_reached(page: Page) -> None:
    for frame in range(FRAMES):
        page.evaluate(f"() => player.setFrame({frame})")
        assert shown(page) == (frame, frame)


def test_it_plays_in_step_and_again_from_the_start(page: Page) -> None:
    page.evaluate("() => player.setFrame(10)")
    page.locator(".vfe-compare").press("Space")
    drifts, turns, last = [], 0, 0.0
    for _ in range(40):
        after, before = page.evaluate("() => player.videos.map((video) => video.currentTime)")
        drifts.append(abs(after - before))
        turns += after < last
        last = after
        page.wait_for_timeout(100)
    assert turns >= 1  # 2 s of clip in 4 s and more
    assert np.median(drifts) < 1 / RATE
    page.locator(".vfe-compare").press("Space")
    after, before = shown(page)
    assert after == before
    assert page.evaluate("() => player.videos.every((video) => video.paused)")


def test_without_the_loop_it_stops_at_the_end_of_the_shorter(page: Page) -> None:
    load(page, "long", "short", play="true")
    page.locator(".vfe-compare").press("l")
    page.wait_for_function("() => !player.playing", timeout=20_000)
    after, before = shown(page)
    assert after == before == CLIPS["short"] - 1


def test_the_divider_is_where_it_is_dragged_to(page: Page) -> None:
    box = page.locator(".vfe-compare-frame").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.02)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    page.mouse.up()
    assert page.evaluate("() => player.split") == pytest.approx(0.25, abs=0.01)
    line = page.locator(".vfe-compare-divider").bounding_box()
    assert line is not None
    assert line["x"] + line["width"] / 2 == pytest.approx(box["x"] + box["width"] / 4, abs=2)
    assert not page.evaluate("() => player.playing")  # a drag is no click
    page.mouse.click(box["x"] + box["width"] / 2, middle)
    assert page.evaluate("() => player.playing")


PLACES = """() => {
  const box = document.querySelector(".vfe-compare-frame").getBoundingClientRect();
  return player.videos.map((video) => {
    const place = video.getBoundingClientRect();
    return [(place.x - box.x) / box.width, (place.y - box.y) / box.height, place.width / box.width];
  });
}"""
"""Of both videos: left and top side in sizes of the frame, and how much they are enlarged."""


def places(page: Page) -> list[float]:
    """Where both videos are, which is the same place."""
    after, before = page.evaluate(PLACES)
    assert after == before
    return [float(part) for part in after]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the frame to another, in sizes of the frame."""
    box = page.locator(".vfe-compare-frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
    page.mouse.up()


def turn_wheel(page: Page, place: tuple[float, float], clicks: int) -> None:
    """Over a place of the frame; towards the user where `clicks` is positive."""
    box = page.locator(".vfe-compare-frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"])
    page.mouse.wheel(0, 100 * clicks)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_wheel_enlarges_at_the_pointer(page: Page) -> None:
    assert places(page) == pytest.approx([0, 0, 1])
    turn_wheel(page, (0.25, 0.75), -3)
    left, top, factor = places(page)
    assert factor == pytest.approx(1.25**3, rel=0.01)
    assert ((0.25 - left) / factor, (0.75 - top) / factor) == pytest.approx((0.25, 0.75), abs=0.01)
    assert page.locator(".vfe-compare-zoom").text_content() == "195 %"
    turn_wheel(page, (0.9, 0.1), 1)
    turn_wheel(page, (0.5, 0.5), 30)
    assert places(page) == pytest.approx([0, 0, 1])
    assert page.locator(".vfe-compare-zoom").is_hidden()


def test_a_drag_moves_the_enlarged_picture_and_the_divider(page: Page) -> None:
    turn_wheel(page, (0.5, 0.5), -5)
    left, top, factor = places(page)
    drag(page, (0.8, 0.5), (0.7, 0.3))
    assert places(page) == pytest.approx([left - 0.1, top - 0.2, factor], abs=0.02)
    assert page.evaluate("() => player.split") == 0.5
    drag(page, (0.5, 0.5), (0.25, 0.4))
    assert page.evaluate("() => player.split") == pytest.approx(0.25, abs=0.01)
    assert places(page) == pytest.approx([left - 0.1, top - 0.2, factor], abs=0.02)
    for _ in range(4):
        drag(page, (0.6, 0.1), (1, 1))
    assert places(page) == pytest.approx([0, 0, factor], abs=0.01)  # no edge comes into the frame
    assert not page.evaluate("() => player.playing")


def test_keys_enlarge_and_move_the_picture(page: Page) -> None:
    player = page.locator(".vfe-compare")
    for key in ("+", "+", "+", "-"):
        player.press(key)
    left, top, factor = places(page)
    assert factor == pytest.approx(1.25**2, rel=0.01)
    player.press("Shift+ArrowRight")
    player.press("Shift+ArrowUp")
    assert places(page) == pytest.approx([left - 0.1, top + 0.1, factor], abs=0.01)
    assert shown(page) == (0, 0)
    player.press("0")
    assert places(page) == pytest.approx([0, 0, 1])


def test_a_video_that_is_gone_says_so(page: Page) -> None:
    load_gone = "() => player.show({url: 'gone.mp4'}, {url: 'gone.mp4', width: 16, height: 9, rate: 20, frames: 3})"
    page.evaluate(load_gone)
    page.get_by_text("The video is no longer there. Run the workflow again.").wait_for()


def test_it_speaks_chinese(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}?locale=zh")
    page.get_by_text("可在此对比两个视频").wait_for()
    page.close()


def test_its_languages_say_the_same_things(page: Page) -> None:
    keys = page.evaluate(
        "async () => Object.values((await import('./compare_player.js')).STRINGS).map((words) => Object.keys(words))"
    )
    assert len(keys) == 2
    assert keys[0] == keys[1]
