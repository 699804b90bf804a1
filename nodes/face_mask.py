"""The node Face Mask, whose widget of `web/face_picker_node.js` shows the faces and takes the choice."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..vfe.face.paste.crop_box import CropConfig
from ..vfe.face.paste.paste import FaceConfig, PasteConfig
from .host.images import check_images
from .host.reporter import Reporter
from .remedies import in_node_terms
from .sockets.inputs import DEFAULTS, min_face_input
from .sockets.types import CATEGORY, SOCKET_ONLY, BoxesType, FaceTracksType, found_by


class FaceMask(io.ComfyNode):
    """Face Mask finds the faces of a clip and follows each through its shot."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_FaceMask",
            display_name="Face Mask",
            category=CATEGORY,
            **found_by("face detect, face detection, face tracking, find faces, retinaface, yolo face"),
            description="Finds the faces of a clip and follows each through its shot: people do not swap, short gaps "
            "are bridged, cuts are found. The net is part of the pack, nothing is downloaded.",
            inputs=[
                io.Image.Input("images", tooltip="The frames of one clip, in order."),
                BoxesType.Input(
                    "detections",
                    optional=True,
                    tooltip="Faces that ComfyUI's own face detection found, in place of the built-in detector.",
                    extra_dict=SOCKET_ONLY,
                ),
                io.String.Input(
                    "faces",
                    default=DEFAULTS.faces,
                    tooltip="Which faces: all, largest, numbers as 2,5 or nearest 320,200 (a place in pixels). After "
                    "a run click on faces in the node to choose them.",
                ),
                min_face_input("Faces smaller than this many pixels are left out."),
                *_cut_inputs(),
                io.String.Input(
                    "names",
                    optional=True,
                    force_input=True,  # older workflows have a value of another kind where a widget would come
                    tooltip="Names to show with the faces, a text such as: 1 Anna, 2 Ben.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="The faces' regions, soft and steady, for each frame."),
                FaceTracksType.Output(display_name="tracks", tooltip="For Face Crop and Face Paste."),
                io.Image.Output(display_name="overlay", tooltip="The frames with boxes, points and numbers of faces."),
                io.String.Output(display_name="report", tooltip="Which face is on which frames, and how large it is."),
                io.Image.Output(
                    display_name="sheet", tooltip="A sheet of all faces for each shot: chosen ones are in colour."
                ),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        images: Tensor,
        faces: str,
        min_face: int,
        feather: float,
        margin: float,
        crop_size: int,
        detections: Any = None,  # noqa: ANN401 - whatever another node gives
        names: str = "",
    ) -> io.NodeOutput:
        """Return the mask, the FACE_TRACKS of the chosen faces, the overlay, the report and the sheets.

        Raises VFEError for a choice of faces, names or detections that cannot be meant.
        """
        from ..vfe.face.track.select import FaceSelection
        from .run.face_sheets import FaceSheets, marks_of
        from .run.faces import find_faces, mask_of, overlay_of, report
        from .sockets.clip_faces import ClipFaces
        from .sockets.detections import boxes_of
        from .sockets.face_names import face_names

        check_images(images)
        selection, named = FaceSelection.parse(faces, min_face), face_names(names)
        boxes = None if detections is None else boxes_of(detections, len(images))
        reporter = Reporter(len(images))
        reporter.begin(("Finding faces", "Drawing masks"))
        found = find_faces(images, boxes, reporter)
        reporter.begin_next()
        crop = CropConfig(margin=margin, side=crop_size or None)
        chosen = ClipFaces(selection.of(found), FaceConfig(crop=crop, paste=PasteConfig(feather=feather)))
        overlay = overlay_of(images, found, reporter)
        told = report(found, chosen.tracks)
        reporter.say(told.partition("\n")[0])
        sheets = FaceSheets.of(images, found, marks_of(chosen.tracks, named), min_face)
        return io.NodeOutput(
            mask_of(chosen), chosen, overlay, told, sheets.as_images(), ui={"vfe_faces": [sheets.for_page()]}
        )


def _cut_inputs() -> list[io.Input]:
    """Return the inputs that say how faces are cut out and pasted back."""
    return [
        io.Float.Input(
            "feather",
            default=PasteConfig().feather,
            min=0.0,
            max=0.5,
            step=0.01,
            tooltip="How soft the border of a mask is, in sizes of the face.",
        ),
        io.Float.Input(
            "margin",
            default=CropConfig().margin,
            min=1.0,
            max=8.0,
            step=0.05,
            tooltip="Side of the crop box that Face Crop cuts out, in sizes of the face.",
        ),
        io.Int.Input(
            "crop_size",
            default=0,
            min=0,
            max=2048,
            step=64,
            tooltip="Side of the crops in pixels; 0: as large as the faces are, small ones enlarged to 256.",
        ),
    ]
