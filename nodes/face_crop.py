"""The node Face Crop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from comfy_api.latest import io
from torch import Tensor

from .host.images import to_frame, to_images
from .host.reporter import Reporter
from .remedies import in_node_terms
from .sockets.types import CATEGORY, FaceTracksType, found_by

if TYPE_CHECKING:
    from ..vfe.face.paste.paste import FacePatcher
    from .sockets.clip_faces import ClipFaces

BLACK_SIDE = 64
"""The side in pixels of the picture that stands for the crops of a clip without faces, as in ComfyUI's own nodes."""


class FaceCrop(io.ComfyNode):
    """Face Crop cuts each face of a clip out as a clip of its own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_FaceCrop",
            display_name="Face Crop",
            category=CATEGORY,
            **found_by("crop face, cut out face, align face"),
            description="Cuts every face out as a clip of its own, in a square crop box that follows it smoothly. What "
            "comes after runs once for each face; Face Paste brings them back.",
            inputs=[
                io.Image.Input("images", tooltip="The frames that Face Mask got."),
                FaceTracksType.Input("tracks", tooltip="From Face Mask."),
            ],
            outputs=[
                io.Image.Output(
                    display_name="crops",
                    is_output_list=True,
                    tooltip="A list: the frames of each face, in order. Without a face, one small black picture.",
                ),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(cls, images: Tensor, tracks: ClipFaces) -> io.NodeOutput:
        """Return a list of IMAGEs, one a face; VFEError where the faces were found in other frames."""
        tracks.check(images)
        if tracks.is_empty:
            return io.NodeOutput([black_picture()])
        reporter = Reporter(sum(len(track.boxes) for track in tracks.tracks.tracks))
        clips = []
        for track, patcher in zip(tracks.tracks.tracks, tracks.patchers(), strict=True):
            clip = images[track.start : track.stop]
            clips.append(to_images(cut_out(patcher, clip, reporter), len(clip)))
        return io.NodeOutput(clips)


def black_picture() -> Tensor:
    """Return the IMAGE (1, S, S, 3) that stands for the crops of a clip without faces.

    ComfyUI runs no node for an empty list but fails, and few nodes take an IMAGE without pictures; so its own ones give
    a black picture where there is nothing. Face Paste leaves it out.
    """
    return torch.zeros(1, BLACK_SIDE, BLACK_SIDE, 3)


def cut_out(patcher: FacePatcher, clip: Tensor, reporter: Reporter) -> Iterator[Tensor]:
    """Yield the crops (3, S, S) in [-1, 1] of one track from the IMAGE of the frames that it is on."""
    for index, image in enumerate(clip):
        yield patcher.take(to_frame(image), index)
        reporter.report(reporter.done + 1)
