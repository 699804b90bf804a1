"""The pack's own types of links, and what all of its nodes have in common."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "video/face enhancement"

RestorerType = io.Custom("RESTORER")
"""A `ComfyRestorer`."""
PriorType = io.Custom("PRIOR")
"""A `ClipPrior`."""
FaceTracksType = io.Custom("FACE_TRACKS")
"""A `ClipFaces`."""
BoxesType = io.Custom("BOUNDING_BOX")
"""What newer ComfyUI's own detectors give, see `detections.py`."""

SOCKET_ONLY = {"forceInput": True}
"""For inputs of a type for which newer ComfyUI has a widget: nothing comes in but by a link."""
