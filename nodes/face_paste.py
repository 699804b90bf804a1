"""The node Face Paste."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io
from torch import Tensor

from ..vfe.face.paste.paste import FacePatcher, PasteConfig, Patch, paste
from ..vfe.types import VFEError
from ..vfe.video.resize import resize
from .host.images import Reporter, check_images, to_frame, to_image
from .remedies import in_node_terms
from .sockets.clip_faces import ClipFaces
from .sockets.inputs import blend_input
from .sockets.types import CATEGORY, FaceTracksType, found_by


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
        if len(images) != 1 or len(tracks) != 1:
            raise VFEError("images and tracks are lists here, needed is one clip with the tracks of its faces")
        clip, faces = images[0], tracks[0]
        faces.check(clip)
        if faces.is_empty:
            return io.NodeOutput(clip)
        shown = replace(faces.config.paste, blend=blend[0], match_colours=match_colours[0])
        faces = ClipFaces(faces.tracks, replace(faces.config, paste=shown))
        check_crops(faces, crops)
        return io.NodeOutput(paste_into(clip, crops, faces))


def check_crops(faces: ClipFaces, crops: list[Tensor]) -> None:
    """Raise VFEError where the crops are not one square clip for each face."""
    for crop in crops:
        check_images(crop)
    needed = [len(track.boxes) for track in faces.tracks.tracks]
    got = [len(crop) for crop in crops]
    if got != needed:
        raise VFEError(
            f"the crops are {len(got)} clips of {got} frames, the faces are {len(needed)} on {needed} frames; connect "
            "what Face Crop gave for the same tracks, restored"
        )
    if any(crop.shape[1] != crop.shape[2] for crop in crops):
        raise VFEError("a crop is not square any more; needed are the crops of Face Crop, restored or resized evenly")


def paste_into(clip: Tensor, crops: list[Tensor], faces: ClipFaces) -> Tensor:
    """Return an IMAGE with restored faces; a pixel that nothing is pasted on is what it was, bit by bit."""
    patchers = dict(zip((track.number for track in faces.tracks.tracks), faces.patchers(), strict=True))
    restored = dict(zip(patchers, crops, strict=True))
    reporter = Reporter(len(clip))
    result = clip.detach().cpu().float().clone()
    for index, image in enumerate(result):
        frame = to_frame(image)
        patches = [
            _patch(patchers[track.number], frame, at, restored[track.number][at])
            for track, at in faces.tracks.at(index)
        ]
        pasted = paste(frame, patches)
        changed = (pasted != frame).any(dim=0)
        image[..., :3][changed] = to_image(pasted)[changed]
        reporter.report(index + 1)
    return result


def _patch(patcher: FacePatcher, frame: Tensor, index: int, restored: Tensor) -> Patch:
    """Return what changes in a frame (3, H, W) by a restored crop (S, S, C), which may be of another size by now."""
    face = resize(to_frame(restored), (patcher.side, patcher.side))
    return patcher.patch(frame, index, patcher.take(frame, index), face)
