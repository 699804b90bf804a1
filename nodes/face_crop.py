"""The node Face Crop."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from comfy_api.latest import io
from torch import Tensor

from ..vfe.face.paste.paste import FacePatcher
from .host.images import Reporter, to_frame, to_images
from .remedies import in_node_terms
from .sockets.clip_faces import ClipFaces
from .sockets.types import CATEGORY, FaceTracksType

SIDE_OF_NOTHING = 64


class FaceCrop(io.ComfyNode):
    """A clip for each face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VFE_FaceCrop",
            display_name="Face Crop",
            category=CATEGORY,
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
        tracks.check(images)
        if tracks.is_empty:
            return io.NodeOutput([nothing()])
        reporter = Reporter(sum(len(track.boxes) for track in tracks.tracks.tracks))
        clips = []
        for track, patcher in zip(tracks.tracks.tracks, tracks.patchers(), strict=True):
            clip = images[track.start : track.stop]
            clips.append(to_images(cut_out(patcher, clip, reporter), len(clip)))
        return io.NodeOutput(clips)


def nothing() -> Tensor:
    """An IMAGE in place of the crops of a clip without faces.

    ComfyUI runs no node for an empty list but fails, and few nodes take an IMAGE without pictures; so its own ones give
    a black picture where there is nothing. Face Paste leaves it out.
    """
    return torch.zeros(1, SIDE_OF_NOTHING, SIDE_OF_NOTHING, 3)


def cut_out(patcher: FacePatcher, clip: Tensor, reporter: Reporter) -> Iterator[Tensor]:
    """The crops (3, S, S) of one track from the frames that it is on."""
    for index, image in enumerate(clip):
        yield patcher.take(to_frame(image), index)
        reporter.report(reporter.done + 1)
