"""The node Face Paste."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comfy_api.latest import io
from torch import Tensor

from ..vfe.face.paste.paste import PasteConfig
from ..vfe.types import VFEError
from .remedies import in_node_terms
from .sockets.inputs import blend_input
from .sockets.types import CATEGORY, FaceTracksType, found_by

if TYPE_CHECKING:
    from .sockets.clip_faces import ClipFaces


class FacePaste(io.ComfyNode):
    """Face Paste brings the crops of Face Crop, once restored, back into their frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_FacePaste",
            display_name="Face Paste",
            category=CATEGORY,
            **found_by("paste face, composite face, reactor"),
            description="Pastes restored crops back where Face Crop took them, under soft and steady masks. Only what "
            "was changed is pasted: outside of the masks no pixel changes, and a clip without faces stays as it is.",
            is_input_list=True,
            inputs=[
                io.Image.Input("images", tooltip="The frames that Face Mask and Face Crop got."),
                io.Image.Input("crops", tooltip="The restored crops, as many as Face Crop gave."),
                FaceTracksType.Input("tracks", tooltip="From Face Mask."),
                blend_input("How much of the restored faces is shown: 1 all, 0 none."),
                io.Boolean.Input(
                    "match_colours",
                    default=PasteConfig().match_colours,
                    tooltip="Keep light and colour of each face as they were in the frame, but for details.",
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The frames with restored faces.")],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        images: list[Tensor],
        crops: list[Tensor],
        tracks: list[ClipFaces],
        blend: list[float],
        match_colours: list[bool],
    ) -> io.NodeOutput:
        """Return the IMAGE with restored faces. ComfyUI gives every input as a list, as the crops are one.

        Raises VFEError where frames, faces and crops do not belong together.
        """
        from .run.paste import check_crops, paste_into

        if len(images) != 1 or len(tracks) != 1:
            raise VFEError("images and tracks are lists here, needed is one clip with the tracks of its faces")
        clip, faces = images[0], tracks[0]
        faces.check(clip)
        if faces.is_empty:
            return io.NodeOutput(clip)
        shown = replace(faces.config.paste, blend=blend[0], match_colours=match_colours[0])
        faces = replace(faces, config=replace(faces.config, paste=shown))
        check_crops(faces, crops)
        return io.NodeOutput(paste_into(clip, crops, faces))
