"""The node Restore Faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from comfy_api.latest import io
from torch import Tensor

from ..vfe.types import VFEError
from .host.images import check_images, to_images
from .remedies import in_node_terms
from .sockets.inputs import DEFAULTS, blend_input, fidelity_input, strength_input
from .sockets.types import ADVANCED, CATEGORY, FaceTracksType, RestorerType, found_by

if TYPE_CHECKING:
    from .backend.restorer import ComfyRestorer
    from .sockets.clip_faces import ClipFaces


class RestoreFaces(io.ComfyNode):
    """Restore Faces restores the faces of frames by the part of a restorer that knows faces, and puts them back."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_RestoreFaces",
            display_name="Restore Faces",
            category=CATEGORY,
            **found_by("face restore, face fix, face detailer, codeformer, gfpgan, restore faces"),
            description="Restores every face in its frames: cut out, aligned, restored by the restorer's part for "
            "faces, and put back. After One-Step Enhance and VAE Decode Tiled it does to faces what Enhance Face Video "
            "does.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.Image.Input("images", tooltip="The frames, best as One-Step Enhance has restored them."),
                FaceTracksType.Input("tracks", tooltip="From Face Mask, which found the faces in the degraded frames."),
                strength_input(),
                blend_input("How much of the restored faces is shown: 1 all, 0 none."),
                fidelity_input(),
                io.Image.Input(
                    "originals",
                    optional=True,
                    tooltip="The degraded frames that Face Mask got. The bundled restorer sees the faces in them too, "
                    "so that people look more like themselves. Without it, the images count as both.",
                ),
                io.Boolean.Input(
                    "hair_and_neck",
                    default=False,
                    optional=True,
                    tooltip="Show what is around the faces restored too, so that no sharp mask lies in soft hair: for "
                    "frames that were restored as a whole. With the bundled restorer.",
                    **ADVANCED,
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The frames with restored faces.")],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        images: Tensor,
        tracks: ClipFaces,
        strength: float,
        blend: float,
        fidelity: float = DEFAULTS.fidelity,
        originals: Tensor | None = None,
        hair_and_neck: bool = False,
    ) -> io.NodeOutput:
        """Return the IMAGE with restored faces; VFEError for frames, faces and originals that do not fit each other."""
        from .run.faces_alone import FaceRestoration, upright_part
        from .run.shown import face_part_of

        tracks.check(images)
        before = images if originals is None else originals
        check_images(before)
        if before.shape[:3] != images.shape[:3]:
            got, needed = ("{} frames of {} x {}".format(*clip.shape[:3]) for clip in (before, images))
            raise VFEError(f"originals are {got}, images {needed}; connect the frames that were restored")
        if tracks.is_empty:
            return io.NodeOutput(images)
        aligned = face_part_of(restorer)
        part = aligned or upright_part(restorer, tracks)
        refining = strength if aligned is None else strength * (1 - fidelity)
        shown = replace(tracks.config, paste=replace(tracks.config.paste, blend=blend, around=hair_and_neck))
        faces = FaceRestoration(part, replace(tracks, config=shown), refining)
        return io.NodeOutput(to_images(faces.restored(before, images), len(images)))
