"""The node Enhance Face Image: photos, one or many, each restored by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io
from torch import Tensor

from ..vfe.options import ModelOptions
from .host.images import to_images
from .remedies import in_node_terms
from .sockets.inputs import (
    face_inputs,
    fidelity_input,
    size_inputs,
    steps_input,
    strength_input,
)
from .sockets.presets import NO_PRESET, preset_input, preset_note, with_chosen_preset
from .sockets.restoring import RestoreInputs, chosen_options
from .sockets.types import CATEGORY, RestorerType, found_by

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .backend.restorer import ComfyRestorer


class EnhanceFaceImage(io.ComfyNode):
    """Enhance Face Image restores the pictures of an IMAGE, each by itself, as `vfe enhance photo.png` does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_EnhanceFaceImage",
            display_name="Enhance Face Image",
            category=CATEGORY,
            **found_by(
                "restore, restoration, face restore, photo restoration, codeformer, gfpgan, "
                "restoreformer, deblur, denoise, upscale, old photo"
            ),
            description="Restores photos: one, a batch or a list, each by itself. For the frames of one clip take "
            "Enhance Face Video, which also sees the frames beside.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.Image.Input("image", tooltip="The degraded photos. Alpha stays as it is."),
                *face_inputs(),
                strength_input(),
                fidelity_input(),
                *size_inputs(),
                steps_input(),
                preset_input(),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The restored photos."),
                io.String.Output(display_name="report", tooltip="The faces that were restored, a line for each photo."),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        image: Tensor,
        preset: str = NO_PRESET,
        steps: int = ModelOptions.steps,
        **how: Unpack[RestoreInputs],
    ) -> io.NodeOutput:
        """Return the restored IMAGE and the report; VFEError for what cannot be chosen, found or held in memory."""
        from .run.photos import Photos

        chosen = chosen_options(how)
        options = with_chosen_preset(preset, chosen)
        photos = Photos(restorer, image, options)
        with restorer.taking(steps):
            restored = photos.with_alpha(to_images(photos.restored(), len(image)))
        note = preset_note(preset, chosen, options)
        return io.NodeOutput(restored, "\n".join(filter(None, (note, *photos.lines))))
