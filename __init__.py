"""Root of the clone, which ComfyUI loads as a node pack from `custom_nodes`; the nodes are in `nodes/`.

pytest imports this file too when it collects `tests/`, so it stays importable without ComfyUI, and quick: nothing is
imported before ComfyUI asks for the nodes.
"""

from __future__ import annotations

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> object:
    """ComfyUI calls it when it starts, and gets a `ComfyExtension`."""
    from .nodes import FaceEnhancement

    return FaceEnhancement()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
