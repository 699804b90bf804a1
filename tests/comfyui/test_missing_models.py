"""What the templates of Wan models say of their files, so that ComfyUI's page offers those that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser_page import ComfyPage, browser, comfy_page, show
from tests.support.comfy_workflow import read_workflow, titles
from vfe.library.catalogue import CATALOGUE, CatalogueEntry

__all__ = ["browser", "comfy_page"]

VIVIDFACE = "Restore face video (VividFace)"
WAN = [title for title in titles() if "(lite)" not in title]
MODEL_ENDINGS = (".safetensors", ".ckpt", ".pth", ".pt", ".gguf")
# Of no public address: the notes of their template say where they come from.
OWN = {"dvface.safetensors", "dvface_adapter.safetensors"}
OFFER_MS = 60_000  # on a busy machine


def named(title: str) -> Iterator[tuple[dict[str, Any], str]]:
    """(node, file) for each model file that a widget of a template names."""
    for node in read_workflow(title)["nodes"]:
        if node["type"] not in ("MarkdownNote", "Note"):
            yield from (
                (node, value)
                for value in node.get("widgets_values") or []
                if isinstance(value, str) and value.endswith(MODEL_ENDINGS)
            )


def address(entry: CatalogueEntry) -> str:
    return f"https://huggingface.co/{entry.repository}/resolve/main/{entry.file}"


def test_the_templates_of_wan_models_are_these() -> None:
    assert WAN == ["Restore face video (DVFace with prior)", VIVIDFACE]


@pytest.mark.parametrize("title", titles())
def test_files_have_address_folder_and_hash_of_the_catalogue(title: str) -> None:
    by_name = {entry.file_name: entry for entry in CATALOGUE}
    for node, file in named(title):
        embedded = [model for model in node["properties"].get("models", ()) if model["name"] == file]
        if file in OWN:
            assert not embedded
            continue
        (model,) = embedded
        entry = by_name[file]
        hashed = {} if entry.sha256 is None else {"hash": entry.sha256, "hash_type": "SHA256"}
        assert model == {"name": file, "url": address(entry), "directory": entry.folder, **hashed}


@pytest.mark.parametrize("title", titles())
def test_nothing_is_offered_that_no_widget_names(title: str) -> None:
    files = {(node["id"], file) for node, file in named(title)}
    for node in read_workflow(title)["nodes"]:
        for model in node["properties"].get("models", ()):
            assert (node["id"], model["name"]) in files


def test_what_has_no_address_is_told_of_in_a_note() -> None:
    title = "Restore face video (DVFace with prior)"
    nodes = read_workflow(title)["nodes"]
    notes = " ".join(node["widgets_values"][0] for node in nodes if node["type"] == "MarkdownNote")
    assert {file for _, file in named(title)} & OWN == OWN
    assert all(file in notes for file in OWN)


def test_the_page_offers_what_is_missing(comfy_page: ComfyPage) -> None:
    """In its panel of errors; an older page has a dialog instead, which names them."""
    comfy_page.open_template(VIVIDFACE)
    page, files = comfy_page.page, [file for _, file in named(VIVIDFACE)]
    details = page.get_by_role("button", name="View details")
    details.or_(page.get_by_role("dialog")).first.wait_for(timeout=OFFER_MS)
    if details.is_visible():
        details.click()
        for file in files:
            page.get_by_role("button", name=f"Download {file}", exact=True).wait_for(timeout=OFFER_MS)
    else:
        for file in files:
            page.get_by_role("dialog").get_by_text(file).first.wait_for(timeout=OFFER_MS)
    show(comfy_page, "missing models.png")
