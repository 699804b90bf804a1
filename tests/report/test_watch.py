"""Watching a run: which frames are measured, and what is kept of them."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from vfe.face.track.tracks import FaceTracks
from vfe.report.faces import MOST_SAMPLES, sampled_frames
from vfe.report.run_report import unseen_of
from vfe.report.watch import MOST_STILLS, RunWatcher
from vfe.types import Stretch

SIDE = 64


def frame(number: int) -> Tensor:
    """(3, H, W) in [-1, 1], which differs from frame to frame."""
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(number)) * 1.8 - 0.9


def tracks(frames: int, *starts: int, length: int = 10) -> FaceTracks:
    """A clip with a face of `length` frames from each start on."""
    box = (16.0, 12.0, 48.0, 52.0)
    faces = [track_of(moving_boxes(length, box), start, number) for number, start in enumerate(starts, 1)]
    return FaceTracks(width=SIDE, height=SIDE, frames=frames, cuts=(15,), tracks=tuple(faces))


def watched(watcher: RunWatcher, frames: int, behind: int = 5) -> list[int]:
    """Show a run of so many frames, which are written some frames after they came; return those wanted twice."""
    wanted, waiting = [], []
    for number in range(frames + behind):
        if number < frames:
            is_wanted = watcher.take(frame(number))
            wanted += [number] if is_wanted else []
            waiting.append(frame(number) if is_wanted else torch.empty(0))
        if number >= behind:
            before = waiting.pop(0)
            watcher.see(before, frame(number - behind) + 2 / 127.5)
    return wanted


def test_each_face_is_measured_on_its_own_frames() -> None:
    watcher = RunWatcher(tracks(30, 2, 17))
    watched(watcher, 30)
    measured = watcher.measured()
    frames = [[sample.frame for sample in face.samples] for face in measured.faces]
    assert frames == [sampled_frames(track) for track in tracks(30, 2, 17).tracks] == [[4, 9], [19, 24]]
    assert all(face.pictures for face in measured.faces)
    assert all(sample.distance < 0.01 for face in measured.faces for sample in face.samples)
    assert measured.cuts == (15,)


def test_frames_wait_only_where_they_are_measured() -> None:
    watcher = RunWatcher(tracks(400, 390))
    wanted = watched(watcher, 400)
    assert len(wanted) < 120
    assert len(watcher.measured().stills) <= MOST_STILLS
    shifts = [shift for _, shift in watcher.measured().colours]
    assert all(abs(channel - 2) < 1e-3 for shift in shifts for channel in shift)


def test_cuts_are_found_where_nobody_looked_for_faces() -> None:
    watcher = RunWatcher(None)
    for number in range(24):
        still = frame(0 if number < 12 else 99)
        watcher.take(torch.nn.functional.interpolate(still[None, :, :8, :8], (SIDE, SIDE))[0])
        watcher.see(torch.zeros(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE))
    measured = watcher.measured()
    assert measured.cuts == (12,)
    assert measured.faces == ()


def test_long_tracks_are_measured_on_so_many_frames() -> None:
    long = tracks(5000, 0, length=5000).tracks[0]
    frames = sampled_frames(long)
    assert len(frames) == MOST_SAMPLES
    assert frames[0] < 5000 // MOST_SAMPLES
    assert frames[-1] >= 5000 - 5000 // MOST_SAMPLES
    (short,) = tracks(5, 3, length=1).tracks
    assert sampled_frames(short) == [3]


def test_moments_out_of_sight_are_told() -> None:
    (track,) = tracks(30, 5, length=8).tracks
    track.seen[2:4] = False
    track.seen[6] = False
    assert unseen_of(track) == (Stretch(7, 9), Stretch(11, 12))
    assert not {7, 8, 11} & set(sampled_frames(track))
