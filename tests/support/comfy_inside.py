"""Makes this process one of ComfyUI, as its `main.py` does before it starts a server."""

from __future__ import annotations

import atexit
import importlib
import sys
import warnings
from functools import cache
from tempfile import TemporaryDirectory

from tests.support.comfy_checkout import comfyui_checkout


@cache
def start_comfyui() -> None:
    """Import ComfyUI, on the CPU, with folders of its own that go when the process ends.

    From now on the module `nodes` is ComfyUI's, not this pack's package.
    """
    base = TemporaryDirectory(prefix="comfyui")
    atexit.register(base.cleanup)
    arguments, sys.argv = sys.argv, ["comfy", "--cpu", "--base-directory", base.name]
    sys.path.insert(0, str(comfyui_checkout()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # the warnings of ComfyUI's requirements are none of ours
            importlib.import_module("comfy.options").enable_args_parsing()
            for name in ("comfy.model_management", "folder_paths", "nodes"):
                importlib.import_module(name)
    finally:
        sys.argv = arguments
