"""The node Dual Codebook Prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io
from torch import Tensor

from .remedies import in_node_terms
from .sockets.types import CATEGORY, PriorType, RestorerType, found_by

if TYPE_CHECKING:
    from .backend.restorer import ComfyRestorer
    from .sockets.clip_prior import ClipPrior


class DualCodebookPrior(io.ComfyNode):
    """Dual Codebook Prior reads the prior of a degraded clip (DVFace), with strengths that users choose."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_DualCodebookPrior",
            display_name="Dual Codebook Prior",
            category=CATEGORY,
            **found_by("codebook, codeformer, dvface, prior, vq"),
            description="Reads from degraded frames which entries of the spatial and the temporal codebook they stand "
            "for. One-Step Enhance does so itself: this node is for other strengths, and for looking at the codes.",
            inputs=[
                RestorerType.Input(
                    "restorer",
                    tooltip="A restorer with codebooks, such as a Wan DiT with its adapter. Where its part for faces "
                    "alone has some, faces are looked for and their codes are shown.",
                ),
                io.Image.Input("images", tooltip="The degraded frames, as One-Step Enhance gets them."),
                io.Float.Input(
                    "spatial_strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the spatial prior, which is for detail, is used: 1 as trained, 0 none.",
                ),
                io.Float.Input(
                    "temporal_strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the temporal prior, which is for steadiness, is used: 1 as trained, 0 none.",
                ),
            ],
            outputs=[
                PriorType.Output(
                    display_name="prior", tooltip="For One-Step Enhance with the same restorer and frames."
                ),
                io.Image.Output(
                    display_name="code_map",
                    tooltip="The codes in colours, a picture for each latent frame: "
                    "spatial ones on the left, temporal ones on the right.",
                ),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls, restorer: ComfyRestorer, images: Tensor, spatial_strength: float, temporal_strength: float
    ) -> io.NodeOutput:
        """Return the PRIOR of `images`, and its codes as an IMAGE; VFEError for a restorer without codebooks."""
        from ..vfe.models.prior import PriorStrength
        from .run.codes import read_clip_prior

        prior: ClipPrior
        prior, code_map = read_clip_prior(restorer, images, PriorStrength(spatial_strength, temporal_strength))
        return io.NodeOutput(prior, code_map)
