"""Laws of restoring faces in a stream: order, exactness where no face is, each track as alone, bounded memory."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, template_landmarks, track_of
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.face.paste.crop_box import CropConfig
from vfe.face.paste.paste import FaceConfig, FacePatcher, PasteConfig, paste
from vfe.face.track.tracks import FaceTrack, FaceTracks
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.restore.face_stream import FacePart, FaceStream, restore_faces, restore_frames_and_faces
from vfe.types import Cancelled, CheckCancelled

SMALL = FaceConfig(crop=CropConfig(side=64))
WINDOW = WindowConfig(5, 1)
HEIGHT, WIDTH = 70, 110


class Brighten:
    """A restorer whose windows take no time."""

    def window_for(self, height: int, width: int) -> WindowConfig:
        assert height == width == 64
        return WINDOW

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        check()
        return [frame + 0.3 * strength for frame in frames]


def frames_of(count: int) -> list[Tensor]:
    return list(drifting_pattern(count, HEIGHT, WIDTH)[0].unbind(1))


def tracks_of(count: int, *tracks: FaceTrack, cuts: tuple[int, ...] = ()) -> FaceTracks:
    return FaceTracks(width=WIDTH, height=HEIGHT, frames=count, cuts=cuts, tracks=tracks)


def crossing() -> FaceTracks:
    """Two faces that meet, one of which comes later, and one in another shot; frames 18 and 19 have none."""
    return tracks_of(
        26,
        track_of(moving_boxes(18, (5, 20, 30, 50), (3, 0)), 0, 1),
        track_of(moving_boxes(12, (70, 22, 95, 50), (-3, 0)), 4, 2),
        track_of(moving_boxes(6, (40, 10, 80, 60)), 20, 3),
        cuts=(18,),
    )


def test_each_face_is_restored_as_a_clip_of_its_own() -> None:
    """Tracks that enter, cross and end: bit by bit what cropping, restoring and pasting one after the other gives."""
    pipeline, frames, tracks = OneStepPipeline(tiny_lite(0.02), WINDOW), frames_of(26), crossing()
    out = list(restore_faces(FacePart(pipeline), iter(frames), tracks, SMALL, strength=0.7))
    faces = {}
    for track in tracks.tracks:
        patcher = FacePatcher(track, SMALL)
        crops = [patcher.take(frames[track.start + index], index) for index in range(len(track.boxes))]
        restored = list(pipeline.stream(crops, strength=0.7))
        faces[track.number] = [
            patcher.patch(frames[track.start + index], index, *pair)
            for index, pair in enumerate(zip(crops, restored, strict=True))
        ]
    assert len(out) == 26
    for number, frame in enumerate(frames):
        patches = [faces[track.number][index] for track, index in tracks.at(number)]
        assert torch.equal(out[number], paste(frame, patches))
        assert torch.equal(out[number], frame) == (number in (18, 19))


def test_pushing_equals_pulling_and_empty_frames_pass_at_once() -> None:
    frames, tracks = frames_of(26), crossing()
    stream = FaceStream(FacePart(Brighten()), tracks, SMALL)
    pushed = []
    for number, frame in enumerate(frames):
        ready = stream.push(frame)
        pushed += ready
        assert stream.given == len(pushed)
        if number in (17, 18, 19):
            assert len(pushed) == number + 1  # tracks that ended hold nothing back
    pushed += stream.finish()
    for ours, pulled in zip(pushed, restore_faces(FacePart(Brighten()), frames, tracks, SMALL), strict=True):
        assert torch.equal(ours, pulled)


class ShowOriginal(Brighten):
    """A part that returns the original that came with a frame."""

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        assert all(frame.shape == (6, 64, 64) for frame in frames)
        return super().restore_window([frame[3:] for frame in frames], 0 * strength, check)


def test_faces_come_with_their_originals() -> None:
    """Crops of the original are those that this frame had on its way into the first model, which reads ahead."""
    frames, tracks = frames_of(26), crossing()

    def darken(frames: Iterable[Tensor]) -> Iterator[Tensor]:
        waiting: deque[Tensor] = deque()
        for frame in frames:
            waiting.append(frame)
            if len(waiting) > 7:
                yield waiting.popleft() * 0.5
        yield from (frame * 0.5 for frame in waiting)

    config = replace(SMALL, paste=PasteConfig(match_colours=False))
    faces = FaceStream(FacePart(ShowOriginal(), sees_original=True), tracks, config)
    out = list(restore_frames_and_faces(frames, darken, faces))
    assert len(out) == 26
    for number, frame in enumerate(frames):
        track, index = tracks.at(number)[0] if tracks.at(number) else (None, 0)
        if track is None:
            assert torch.equal(out[number], frame * 0.5)
        else:
            x, y = (round(float(side)) for side in (track.boxes[index, :2] + track.boxes[index, 2:]) / 2)
            torch.testing.assert_close(out[number][:, y, x], frame[:, y, x], rtol=0, atol=0.02)


def test_clips_without_faces_are_handed_through() -> None:
    frames = frames_of(3)
    out = list(restore_faces(FacePart(Brighten()), frames, tracks_of(3)))
    assert all(ours is frame for ours, frame in zip(out, frames, strict=True))


@pytest.mark.parametrize("count", [0, 1, 11, 40])
def test_clips_longer_or_shorter_than_tracks_keep_their_frames(count: int) -> None:
    frames = frames_of(count) if count else []
    out = list(restore_faces(FacePart(Brighten()), frames, crossing(), SMALL))
    assert len(out) == count
    assert all(torch.equal(ours, frame) for ours, frame in zip(out[26:], frames[26:], strict=True))


@pytest.mark.slow
def test_memory_is_bounded_by_the_window() -> None:
    """Of 120 frames with tracks that begin all the time, only about a window is alive."""
    many = [
        track_of(moving_boxes(20, (20 + number, 20, 50 + number, 50)), 6 * number, number + 1) for number in range(16)
    ]
    alive: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most = 0

    def frames() -> Iterator[Tensor]:
        nonlocal most
        for number in range(120):
            frame = torch.full((3, HEIGHT, WIDTH), number / 240)
            alive.add(frame)
            most = max(most, len(alive))
            yield frame
            del frame

    assert sum(1 for _ in restore_faces(FacePart(Brighten()), frames(), tracks_of(120, *many), SMALL)) == 120
    assert most <= WINDOW.frames + 2


def test_progress_counts_frames_and_can_stop() -> None:
    calls: list[tuple[int, int | None]] = []

    def stop(done: int, total: int | None) -> None:
        calls.append((done, total))
        if done >= 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(restore_faces(FacePart(Brighten()), frames_of(26), crossing(), SMALL, on_progress=stop))
    assert calls[0] == (0, 26)
    assert calls[-1][0] >= 4
    calls.clear()
    ends = restore_faces(
        FacePart(Brighten()), frames_of(3), tracks_of(3), on_progress=lambda done, all_: calls.append((done, all_))
    )
    assert len(list(ends)) == 3
    assert calls == [(3, 3)]


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="a frame is 40x30, needed 110x70"):
        list(restore_faces(FacePart(Brighten()), [torch.zeros(3, 30, 40)], crossing()))


def test_frames_without_a_change_to_faces_stay() -> None:
    class Keep(Brighten):
        def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
            del strength, check
            return frames

    frames = frames_of(26)
    for ours, given in zip(restore_faces(FacePart(Keep()), frames, crossing(), SMALL), frames, strict=True):
        assert torch.equal(ours, given)


class Unchanged:
    """A part for aligned faces that changes nothing."""

    def window_for(self, height: int, width: int) -> WindowConfig:
        del height, width
        return WINDOW

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        del strength, check
        return frames


def test_what_is_around_unchanged_faces_stays_to_the_bit() -> None:
    frames, faces = frames_of(14), template_landmarks(60, 0.1, 50, 35).float().expand(14, 5, 2)
    face = replace(track_of(moving_boxes(14, (35, 20, 65, 55))), landmarks=faces)
    config = FaceConfig(paste=PasteConfig(around=True))
    out = restore_faces(FacePart(Unchanged(), is_aligned=True), frames, tracks_of(14, face), config)
    for ours, frame in zip(out, frames, strict=True):
        assert torch.equal(ours, frame)
