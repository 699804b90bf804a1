"""The types of links that this pack adds, and what all of its nodes have in common."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature

from comfy_api.latest import io

CATEGORY = "Video Face Enhancement"
"""Where the nodes are in ComfyUI's menu."""

RestorerType = io.Custom("RESTORER")
"""Links of this type carry a `ComfyRestorer`."""
PriorType = io.Custom("PRIOR")
"""Links of this type carry a `ClipPrior`."""
FaceTracksType = io.Custom("FACE_TRACKS")
"""Links of this type carry a `ClipFaces`."""
BoxesType = io.Custom("BOUNDING_BOX")
"""Links of this type carry what newer ComfyUI's own detectors give, see `detections.py`."""

SOCKET_ONLY = {"forceInput": True}
"""For inputs of a type for which newer ComfyUI has a widget: nothing comes in but by a link."""
WIDGETS = (io.Boolean, io.Combo, io.Float, io.Int, io.String)
ADVANCED: dict[str, dict[str, bool]] = (
    {"extra_dict": {"advanced": True}}
    if all("extra_dict" in signature(kind.Input.__init__).parameters for kind in WIDGETS)
    else {}
)
"""What makes inputs that few change `advanced`: newer ComfyUI hides them until it is asked for them, older takes no
notice, and the oldest would not take it."""


def found_by(words: str) -> dict[str, list[str]]:
    """Return what makes the search find a node by these words, divided by commas, for its `Schema`.

    Nothing where ComfyUI is too old to know of such words.
    """
    has_aliases = "search_aliases" in {field.name for field in fields(io.Schema)}
    return {"search_aliases": words.split(", ")} if has_aliases else {}
