"""The node VAE Decode Tiled (exact)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comfy.sd
from comfy_api.latest import io

from ..vfe.types import VFEError
from .remedies import in_node_terms
from .sockets.types import CATEGORY, RestorerType, found_by

if TYPE_CHECKING:
    from .backend.restorer import ComfyRestorer


class VAEDecodeTiled(io.ComfyNode):
    """VAE Decode Tiled (exact) makes the frames of a clip from its latent, in tiles that change nothing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_VAEDecodeTiled",
            display_name="VAE Decode Tiled (exact)",
            category=CATEGORY,
            **found_by("vae decode, tiled decode, wan vae"),
            description="Decodes a clip of any length without seams and without flicker: tiles share their borders "
            "exactly, and time is never cut. For latents of One-Step Enhance, and for all of Wan2.1's VAE.",
            inputs=[
                io.Latent.Input("latent", tooltip="From One-Step Enhance, or any latent of Wan2.1's VAE."),
                RestorerType.Input(
                    "restorer", optional=True, tooltip="The restorer that made the latent. Connect this or a VAE."
                ),
                io.Vae.Input("vae", optional=True, tooltip="ComfyUI's Wan2.1 VAE, instead of a restorer."),
                io.Int.Input(
                    "tile_size",
                    default=0,
                    min=0,
                    max=8192,
                    step=64,
                    tooltip="Side of a tile in pixels; 0: whole frames, or the largest tiles that fit the memory. "
                    "It changes memory and time, not the result. Lite has no use for it.",
                ),
                io.Int.Input(
                    "latents_per_step",
                    default=0,
                    min=0,
                    max=32,
                    tooltip="Latents (of four frames) decoded at once; 0: what fits. More is faster on a large GPU.",
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The frames of the clip, padding cut off.")],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        latent: dict[str, Any],
        tile_size: int,
        latents_per_step: int,
        restorer: ComfyRestorer | None = None,
        vae: comfy.sd.VAE | None = None,
    ) -> io.NodeOutput:
        """Return the frames as an IMAGE; VFEError for a latent of another model, or where memory is too short."""
        from .backend.restorer import DecodePlan
        from .run.decode import decode_with_restorer, decode_with_vae

        plan = DecodePlan(tile_size or None, latents_per_step or None)
        if restorer is not None and vae is None:
            return io.NodeOutput(decode_with_restorer(restorer, latent, plan))
        if vae is not None and restorer is None:
            return io.NodeOutput(decode_with_vae(vae, latent, plan))
        raise VFEError("connect a RESTORER or a VAE to VAE Decode Tiled (exact): exactly one of them is needed")
