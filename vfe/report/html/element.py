"""Elements of a page. Whatever text goes into one is escaped when the page is written."""

from __future__ import annotations

from xml.etree.ElementTree import Element

Child = Element | str


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element with its children in order.

    Python's `class_` and `stroke_width` are HTML's class and stroke-width.
    """
    named = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    made = Element(tag, named)
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made
