"""What the pack shows beside its nodes: help pages, translations and templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.comfy_server import PACK, ComfyServer
from tests.support.comfy_workflow import read_workflow, titles, to_prompt
from tests.support.paths import ROOT

LOCALES, PAGES = ROOT / "locales", ROOT / "web" / "docs"
LANGUAGES = ("en", "zh")


def read_locale(language: str, file: str) -> dict[str, Any]:
    """One file of a translation."""
    found = json.loads((LOCALES / language / file).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


@pytest.mark.parametrize("file", ["nodeDefs.json", "main.json"])
def test_both_languages_say_the_same_things(file: str) -> None:
    english, chinese = (dict(leaves(read_locale(language, file))) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    assert all(text.strip() for text in (*english.values(), *chinese.values()))


def test_chinese_is_chinese() -> None:
    texts = {keys: text for keys, text in leaves(read_locale("zh", "nodeDefs.json")) if keys[-1] != "name"}
    assert [keys for keys, text in texts.items() if not any("\u4e00" <= sign <= "\u9fff" for sign in text)] == []


def test_notes_of_templates_are_in_chinese_too() -> None:
    """Each under its whole English text, with as many headings, steps, rows and bold words."""
    chinese = json.loads((ROOT / "web" / "notes" / "zh.json").read_text(encoding="utf-8"))
    assert set(chinese) == {note.strip() for title in titles() for note in notes_of(title)}
    for english, text in chinese.items():
        assert any("\u4e00" <= sign <= "\u9fff" for sign in text)
        for mark in (r"^#", r"^\d\. ", r"^\|", r"^- ", r"\]\(http"):
            assert len(re.findall(mark, text, re.MULTILINE)) == len(re.findall(mark, english, re.MULTILINE)), english


def notes_of(title: str) -> list[str]:
    """The texts of a template's notes."""
    return [node["widgets_values"][0] for node in read_workflow(title)["nodes"] if node["type"] == "MarkdownNote"]


def test_the_languages_cover_the_nodes(comfy_server: ComfyServer) -> None:
    nodes = {name: node for name, node in comfy_server.get("/object_info").items() if name.startswith("VFE_")}
    texts = read_locale("en", "nodeDefs.json")
    assert texts.keys() == nodes.keys()
    for name, node in nodes.items():
        inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
        assert texts[name]["display_name"] == node["display_name"]
        assert texts[name]["inputs"].keys() == inputs.keys(), name
        assert len(texts[name].get("outputs", {})) == len(node["output"]), name


def test_the_server_serves_translations_and_help(comfy_server: ComfyServer) -> None:
    assert comfy_server.get("/i18n")["zh"]["nodeDefs"] == read_locale("zh", "nodeDefs.json")
    for name in read_locale("en", "nodeDefs.json"):
        page = comfy_server.text(f"/extensions/{PACK}/docs/{name}.md")
        assert page.startswith("# ")
        assert len(page) > 200
        assert comfy_server.text(f"/extensions/{PACK}/docs/{name}/zh.md").startswith("# ")


@pytest.mark.parametrize("name", sorted(read_locale("en", "nodeDefs.json")))
def test_a_help_page_is_the_same_in_both_languages(name: str) -> None:
    """Its title, headings, tables, pictures, and the inputs and outputs in their order."""
    english = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    chinese = (PAGES / name / "zh.md").read_text(encoding="utf-8")
    assert chinese.startswith(f"# {read_locale('zh', 'nodeDefs.json')[name]['display_name']}\n")
    for part in (r"^#+ ", r"\*\*\w+\*\*", r"\]\(.+\)", r"^\|"):
        assert re.findall(part, english, re.MULTILINE) == re.findall(part, chinese, re.MULTILINE), part


def test_a_help_page_names_every_input_and_output(comfy_server: ComfyServer) -> None:
    for name, node in comfy_server.get("/object_info").items():
        if not name.startswith("VFE_"):
            continue
        page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {node['display_name']}\n")
        for field in (*node["input_order"].get("required", ()), *node["input_order"].get("optional", ())):
            assert f"**{field}**" in page, f"{name}: {field}"
        for field in node["output_name"]:
            assert f"**{field}**" in page, f"{name}: {field}"


@pytest.mark.parametrize("title", titles())
def test_each_opening_of_a_template_is_a_workflow_of_its_own(title: str) -> None:
    """ComfyUI gives one without an id a new one; with an id, Compare Videos would show a run of another opening."""
    assert "id" not in read_workflow(title)


@pytest.mark.parametrize("title", titles())
def test_a_template_is_shown_with_a_picture_and_fits_the_nodes(comfy_server: ComfyServer, title: str) -> None:
    assert title in comfy_server.get("/workflow_templates")[PACK]
    picture = ROOT / "workflows" / f"{title}.jpg"
    assert picture.read_bytes()[:2] == b"\xff\xd8"
    info = comfy_server.get("/object_info")
    for node in to_prompt(read_workflow(title), info).values():
        known = info[node["class_type"]]["input"]
        assert known.get("required", {}).keys() <= node["inputs"].keys(), node["class_type"]
        names = {name.partition(".")[0] for name in node["inputs"]}  # what a choice brings is named after it
        assert names <= {**known.get("required", {}), **known.get("optional", {})}.keys()
