"""The node One-Step Enhance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io
from torch import Tensor

from ..vfe.options import WINDOWS, ModelOptions
from .remedies import in_node_terms
from .sockets.inputs import steps_input, strength_input, window_input
from .sockets.types import CATEGORY, PriorType, RestorerType, found_by

if TYPE_CHECKING:
    from .backend.restorer import ComfyRestorer
    from .sockets.clip_prior import ClipPrior


class OneStepEnhance(io.ComfyNode):
    """One-Step Enhance restores the frames of an IMAGE by one step of the model, up to their latent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_OneStepEnhance",
            display_name="One-Step Enhance",
            category=CATEGORY,
            **found_by("restore, restoration, vividface, dvface, deblur, denoise, one step diffusion, sampler"),
            description="Restores frames in one step of the model, in overlapping windows. Decode the latent with VAE "
            "Decode Tiled (exact); a Wan restorer's is also what ComfyUI's own VAE nodes decode.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.Image.Input("images", tooltip="The degraded frames of one clip, in order."),
                PriorType.Input(
                    "prior",
                    optional=True,
                    tooltip="From Dual Codebook Prior; without it the restorer reads its own at full strength.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where to restore, for all frames or one for each: black leaves the frame as the "
                    "codec gives it back, white restores it by the strength below. The 64 x 64 black mask that "
                    "Load Image gives for pictures without alpha is none.",
                ),
                strength_input(),
                window_input(),
                io.Int.Input(
                    "overlap",
                    default=0,
                    min=0,
                    max=WINDOWS.most // 2,
                    step=4,
                    tooltip="Frames over which neighbouring windows are cross-faded; 0: what suits the restorer. "
                    "Other numbers, of at most half of the window, are rounded to 4n+1.",
                ),
                steps_input(),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="Of the restored clip, for VAE Decode Tiled (exact)."),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        images: Tensor,
        strength: float,
        window: int,
        overlap: int,
        prior: ClipPrior | None = None,
        mask: Tensor | None = None,
        steps: int = ModelOptions.steps,
    ) -> io.NodeOutput:
        """Return the LATENT of the restored clip; VFEError for inputs that do not fit each other."""
        from .run.step import Enhancement, enhance

        wanted = Enhancement(strength=strength, window=window, overlap=overlap, prior=prior, mask=mask)
        with restorer.taking(steps):
            return io.NodeOutput(enhance(restorer, images, wanted))
