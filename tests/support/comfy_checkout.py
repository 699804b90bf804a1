"""Where ComfyUI is, for the tests that are marked `comfy`: COMFYUI_DIR, or the folder ~/.cache/vfe/comfyui."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

CACHE = Path.home() / ".cache" / "vfe"
# What ComfyUI imports when it starts; the frontend package is its web page.
_MODULES = ("aiohttp", "alembic", "comfyui_frontend_package", "requests", "sqlalchemy", "torchsde", "torchvision")


def find_comfyui() -> Path | None:
    """The checkout, or None."""
    folder = Path(os.environ.get("COMFYUI_DIR") or CACHE / "comfyui").absolute()
    return folder if (folder / "main.py").is_file() else None


def comfyui_checkout() -> Path:
    """The checkout; a test that asks is marked `comfy`, so that it runs only where there is one."""
    folder = find_comfyui()
    assert folder is not None, "a test that needs ComfyUI is not marked `comfy`"
    return folder


def why_no_comfyui() -> str | None:
    """Why there is no ComfyUI to test with, in one line; None where there is one."""
    if find_comfyui() is not None:
        return None
    named = os.environ.get("COMFYUI_DIR")
    return f"COMFYUI_DIR={named} holds no ComfyUI" if named else "no ComfyUI in COMFYUI_DIR or ~/.cache/vfe/comfyui"


def why_not_here() -> str | None:
    """Why ComfyUI does not run under this Python; None where it does."""
    missing = [module for module in _MODULES if find_spec(module) is None]
    if not missing:
        return None
    return f"this Python lacks {', '.join(missing)} for ComfyUI; `python -m tests.comfy_suite` has them"
