"""What every page has around its sections."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from ... import __version__
from .element import Child, element
from .style import STYLE

ONLY_ITSELF = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""A browser loads nothing else for a page, whatever is in it."""


def document(title: str, names: Child, main: Element, hint: str, tab: str = "") -> str:
    """Return a page in ASCII: its `title`, the `names` below it, its sections, and a `hint` at the end.

    `tab` is the title that browsers show, if it is another.
    """
    below = element("p", names, class_="names")
    header = element("header", element("h1", title), below)
    footer = element("footer", f"Made by vfe {__version__}. {hint}")
    html = element("html", _head(tab or title), element("body", header, main, footer), lang="en")
    return "<!DOCTYPE html>\n" + tostring(html, encoding="us-ascii", method="html").decode("ascii") + "\n"


def _head(title: str) -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=ONLY_ITSELF),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", STYLE),
    )
