"""The node Restore Faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from comfy_api.latest import io
from torch import Tensor

from ..vfe.restore.face_stream import FacePart, FaceStream, restore_frames_and_faces
from ..vfe.types import VFEError, VideoShape
from .backend.restorer import ComfyRestorer
from .host.images import Reporter, check_images, to_frames, to_images
from .remedies import in_node_terms
from .run.shown import MANY, face_part_of
from .sockets.clip_faces import ClipFaces
from .sockets.inputs import DEFAULTS, blend_input, fidelity_input, strength_input
from .sockets.types import CATEGORY, FaceTracksType, RestorerType, found_by

SHOWN_EVERY = 16  # frames


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
            "faces, and put back. After One-Step Enhance and VAE Decode Tiled it does what Enhance Face Video does.",
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
    ) -> io.NodeOutput:
        """Return the IMAGE with restored faces; VFEError for frames, faces and originals that do not fit each other."""
        tracks.check(images)
        before = images if originals is None else originals
        check_images(before)
        if before.shape[:3] != images.shape[:3]:
            got, needed = ("{} frames of {} x {}".format(*clip.shape[:3]) for clip in (before, images))
            raise VFEError(f"originals are {got}, images {needed}; connect the frames that were restored")
        if tracks.is_empty:
            return io.NodeOutput(images)
        aligned = face_part_of(restorer)
        part = aligned or _upright_part(restorer, tracks)
        refining = strength if aligned is None else strength * (1 - fidelity)
        shown = replace(tracks.config, paste=replace(tracks.config.paste, blend=blend))
        faces = FaceRestoration(part, ClipFaces(tracks.tracks, shown), refining)
        return io.NodeOutput(to_images(faces.restored(before, images), len(images)))


@dataclass(frozen=True)
class FaceRestoration:
    """Restores the faces of frames that are in memory."""

    part: FacePart
    faces: ClipFaces
    strength: float

    def restored(self, before: Tensor, images: Tensor) -> Iterator[Tensor]:
        """Yield the frames (3, H, W) of an IMAGE with restored faces; `before` is the IMAGE of the originals."""
        reporter = Reporter(len(images))
        stream = FaceStream(self.part, self.faces.tracks, self.faces.config, self.strength, reporter.report)

        def with_images(originals: Iterable[Tensor]) -> Iterator[Tensor]:
            for _, frame in zip(originals, to_frames(images), strict=True):
                yield frame

        frames = restore_frames_and_faces(to_frames(before), with_images, stream)
        for index, (original, frame) in enumerate(zip(to_frames(before), frames, strict=True)):
            if index % SHOWN_EVERY == 0:
                reporter.compare(index, original, frame)
            yield frame


def _upright_part(restorer: ComfyRestorer, faces: ClipFaces) -> FacePart:
    """Load a restorer that has no part for faces, to restore upright crops of them as it does frames."""
    side = max(patcher.side for patcher in faces.patchers())
    return FacePart(restorer.enhancer(VideoShape(MANY, side, side), None))
