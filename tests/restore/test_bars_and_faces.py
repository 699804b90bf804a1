"""Faces that reach into black bars: the bars stay to the bit, and no crop shows them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.tiny_lite import drifting_pattern
from vfe.face.paste.paste import FaceConfig, PasteConfig
from vfe.face.track.tracks import FaceTracks
from vfe.restore.face_stream import FacePart, FaceStream, restore_faces, restore_frames_and_faces
from vfe.types import CheckCancelled

FRAMES, HEIGHT, WIDTH, TOP, BOTTOM = 6, 160, 200, 30, 134


class Noted(MixingPipeline):
    """Knows the darkest value of all crops that it saw."""

    darkest = 1.0

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        self.darkest = min(self.darkest, *(float(frame.min()) for frame in frames))
        return super().restore_window(frames, strength, check)


def close_up() -> tuple[list[Tensor], FaceTracks]:
    """Frames with bars above and below, and a face that reaches into both."""
    clip = torch.full((3, FRAMES, HEIGHT, WIDTH), -1.0)
    clip[:, :, TOP:BOTTOM] = drifting_pattern(FRAMES, BOTTOM - TOP, WIDTH)[0] * 0.5
    track = track_of(moving_boxes(FRAMES, (50, 10, 150, 150), (2, 0)))
    return list(clip.unbind(1)), FaceTracks(width=WIDTH, height=HEIGHT, frames=FRAMES, cuts=(), tracks=(track,))


def assert_bars_alone_stay(restored: list[Tensor], frames: list[Tensor], pipeline: Noted) -> None:
    for given, frame in zip(restored, frames, strict=True):
        assert torch.equal(given[:, :TOP], frame[:, :TOP])
        assert torch.equal(given[:, BOTTOM:], frame[:, BOTTOM:])
        assert not torch.equal(given[:, TOP], frame[:, TOP])
        assert not torch.equal(given[:, BOTTOM - 1], frame[:, BOTTOM - 1])
    assert pipeline.darkest > -0.9


@pytest.mark.parametrize("aligned", [False, True])
def test_bars_stay_beside_faces(*, aligned: bool) -> None:
    frames, tracks = close_up()
    pipeline = Noted()
    config = FaceConfig(paste=PasteConfig(around=aligned))
    assert_bars_alone_stay(list(restore_faces(FacePart(pipeline, aligned), frames, tracks, config)), frames, pipeline)


def test_originals_are_seen_without_bars_too() -> None:
    frames, tracks = close_up()
    pipeline = Noted()
    stream = FaceStream(FacePart(pipeline, is_aligned=True, sees_original=True), tracks)
    restored = restore_frames_and_faces(frames, lambda some: (frame * 1.0 for frame in some), stream)
    assert_bars_alone_stay(list(restored), frames, pipeline)


def test_black_frames_between_stay() -> None:
    frames, tracks = close_up()
    frames[2] = torch.full_like(frames[2], -1.0)
    restored = list(restore_faces(FacePart(MixingPipeline()), frames, tracks))
    assert len(restored) == FRAMES
    assert torch.equal(restored[2], frames[2])
    assert not torch.equal(restored[3], frames[3])
