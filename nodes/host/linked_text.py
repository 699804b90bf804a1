"""The text behind a link to CLIP Text Encode, read from the graph: no node has to run for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT_ENCODE = "CLIPTextEncode"
"""ComfyUI's node that turns a text into a CONDITIONING."""


def linked_text(graph: Mapping[str, Any] | None, node: str | None, name: str) -> str | None:
    """Return the text that CLIP Text Encode has, where the input `name` of a node is linked to it.

    `graph` is the prompt as ComfyUI's server got it. None where another node is there, or the text comes from one.
    """
    link = _inputs(graph, node).get(name)
    if not isinstance(link, list) or not link:
        return None
    source = str(link[0])
    if (graph or {}).get(source, {}).get("class_type") != TEXT_ENCODE:
        return None
    text = _inputs(graph, source).get("text")
    return text.encode(errors="replace").decode() if isinstance(text, str) else None  # JSON may hold half of a sign


def _inputs(graph: Mapping[str, Any] | None, node: str | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (graph or {}).get(str(node), {}).get("inputs", {})
    return found
