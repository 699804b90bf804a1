"""What workflows of other packs are offered where their nodes are missing: ours, with their links and our defaults.

Newer ComfyUI offers that by itself, or takes them when a prompt runs. Their settings are not carried over: they are of
other models, and what they are called differs between versions of these packs.
"""

from __future__ import annotations

import sys

from comfy_api.latest import ComfyAPI, io

from .enhance_face_image import EnhanceFaceImage
from .load_restorer import LoadWanRestorer

OFFERS: dict[str, tuple[type[io.ComfyNode], dict[str, str]]] = {
    "FaceRestoreModelLoader": (LoadWanRestorer, {}),
    "FaceRestoreCFWithModel": (EnhanceFaceImage, {"restorer": "facerestore_model", "image": "image"}),
    "KEEP_ModelLoader": (LoadWanRestorer, {}),
    "KEEP_FaceUpscaleImage": (EnhanceFaceImage, {"restorer": "keep_model", "image": "image"}),
}
"""{node of facerestore_cf or ComfyUI-KEEP: (ours, {input of ours: the input whose link it gets})}."""


async def offer_replacements() -> None:
    """Make the offers known to ComfyUI; nothing where it is too old to make any, or runs without a server."""
    server = sys.modules.get("server")  # by name: programs that load nodes by themselves have none
    if not hasattr(io, "NodeReplace") or server is None or not hasattr(server.PromptServer, "instance"):
        return
    api = ComfyAPI()
    for old, (new, links) in OFFERS.items():
        await api.node_replacement.register(replacement(old, new, links))


def replacement(old: str, new: type[io.ComfyNode], links: dict[str, str]) -> io.NodeReplace:
    """Return an offer of `new` for the node `old`: links as given, all else that it requires at our defaults."""
    schema = new.define_schema()
    values = {given.id: given.default for given in schema.inputs if not given.optional and given.id not in links}

    class Offer(io.NodeReplace):
        """Tells the page that the first output stays the first, which moves links by that, and the server nothing.

        ComfyUI 0.33 replaces the nodes of a prompt in a random order, and moves links by the old names of inputs that
        it has renamed already: with outputs to move, it fails on every other start. Ours have none to move.
        """

        def as_dict(self) -> dict[str, object]:
            found: dict[str, object] = super().as_dict()
            return found | {"output_mapping": [{"new_idx": 0, "old_idx": 0}]}

    return Offer(
        new_node_id=schema.node_id,
        old_node_id=old,
        input_mapping=[
            *({"new_id": ours, "old_id": theirs} for ours, theirs in links.items()),
            *({"new_id": name, "set_value": value} for name, value in values.items()),
        ],
    )
