"""The node Load Face Restorer in a prompt, with the bundled restorer."""

from __future__ import annotations

from tests.support.comfy_server import Graph

LOADER: Graph = {
    "1": {
        "class_type": "VFE_LoadWanRestorer",
        "inputs": {
            "model": "lite (bundled)",
            **dict.fromkeys(("vae", "context", "dtype"), "auto"),
            "adapter": "none",
            "attention": "sdpa",
            **{f"lora_{number}": "none" for number in (1, 2)},
            **{f"strength_{number}": 1.0 for number in (1, 2)},
        },
    }
}
