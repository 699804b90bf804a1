"""The pictures of the templates: one for each, no two alike, drawn of faces before and after."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage", reason="scikit-image, which has the portrait, is not installed")

from benchmarks.thumbnails import BY_LITE, PICTURES, SIDE, Twins, before_and_after, divided, of_vividface
from tests.support.comfy_workflow import WORKFLOWS, read_workflow, titles

ALIKE = 20.0  # levels of 255 by which two pictures differ on average at least
RED, BLUE = (200, 20, 20), (20, 20, 200)


def test_there_is_one_for_each_template() -> None:
    assert set(titles()) == PICTURES.keys()
    for title in titles():
        with Image.open(WORKFLOWS / f"{title}.jpg") as picture:
            assert picture.size == (SIDE, SIDE), title


def test_no_two_are_alike() -> None:
    pixels = {title: np.asarray(Image.open(WORKFLOWS / f"{title}.jpg").resize((60, 60)), float) for title in titles()}
    for first, second in combinations(pixels, 2):
        assert np.abs(pixels[first] - pixels[second]).mean() > ALIKE, (first, second)


@pytest.mark.parametrize("slant", [0, 20])
def test_before_is_left_of_the_divider(slant: int) -> None:
    joined = divided(Image.new("RGB", (200, 200), RED), Image.new("RGB", (200, 200), BLUE), slant)
    assert joined.getpixel((60, 100)) == RED
    assert joined.getpixel((140, 100)) == BLUE
    assert joined.getpixel((100 + slant - 6, 6)) == (BLUE if slant < 0 else RED)


def test_both_sides_are_named() -> None:
    plain = Image.new("RGB", (300, 100), (255, 255, 255))
    named = plain.copy()
    before_and_after(named)
    changed = np.abs(np.asarray(named, float) - np.asarray(plain, float)).max(axis=(0, 2)) > 0
    assert changed[:100].any()
    assert changed[-100:].any()
    assert not changed[130:170].any()


def test_a_model_that_is_not_shown_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the picture, and in the note of the template."""
    faces = [Image.new("RGB", (64, 64), RED)] * 3
    written: list[str] = []
    monkeypatch.setattr("benchmarks.thumbnails.of_portrait", lambda *_: Twins(faces, faces))
    monkeypatch.setattr("benchmarks.thumbnails.label", lambda _picture, text, *_: written.append(text))
    of_vividface()
    assert written == ["before", BY_LITE]
    for title in titles():
        (note,) = (node for node in read_workflow(title)["nodes"] if node["type"] == "MarkdownNote")
        assert ("made with the bundled **lite**" in note["widgets_values"][0]) == ("(lite)" not in title)
