"""Faces of black-and-white footage come back black and white."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.tiny_lite import drifting_pattern
from vfe.face.paste.paste import FaceConfig, PasteConfig
from vfe.face.track.tracks import FaceTracks
from vfe.restore.face_stream import FacePart, restore_faces
from vfe.types import CheckCancelled

FRAMES, HEIGHT, WIDTH = 6, 160, 200


class Tinting(MixingPipeline):
    """Makes faces bluer where they are bright."""

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        restored = super().restore_window(frames, strength, check)
        return [frame * torch.tensor([0.9, 1.0, 1.2]).view(3, 1, 1) for frame in restored]


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_faces_get_no_colour_where_there_is_none(*, aligned: bool, grey: bool) -> None:
    clip = drifting_pattern(FRAMES, HEIGHT, WIDTH)[0] * 0.5
    frames = list((clip[:1].expand_as(clip) if grey else clip).unbind(1))
    track = track_of(moving_boxes(FRAMES, (50, 10, 150, 150), (2, 0)))
    tracks = FaceTracks(width=WIDTH, height=HEIGHT, frames=FRAMES, cuts=(), tracks=(track,))
    config = FaceConfig(paste=PasteConfig(around=aligned, match_colours=False))
    for frame, restored in zip(
        frames, restore_faces(FacePart(Tinting(), aligned), frames, tracks, config), strict=True
    ):
        changed = (restored != frame).all(0)
        assert changed.any()
        bluer = ((restored[2] - restored[0]) - (frame[2] - frame[0]))[changed].abs()
        assert bluer.max() == 0 if grey else bluer.mean() > 0.01
