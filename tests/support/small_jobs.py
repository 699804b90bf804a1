"""Jobs of tiny clips, restored by stand-ins whose every frame depends on all of its window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tests.support.face_tracks import moving_boxes, track_of
from tests.support.mixing_pipeline import MixingPipeline
from vfe.face.track.tracks import FaceTracks
from vfe.jobs.job import Job
from vfe.jobs.request import JobRequest, ModelRequest
from vfe.options import ModelOptions, RestoreOptions
from vfe.pipeline.windows import WindowConfig
from vfe.restore.face_stream import FacePart
from vfe.restore.restorer import Restorer

STAND_IN = ModelRequest("lite", "cpu", options=ModelOptions(face_model="none"))
"""Stands in jobs for the model that `stand_in` returns."""


def stand_in(*, knows_faces: bool = False) -> Restorer:
    """A restorer that takes no time, with a part for faces or without."""
    window = WindowConfig(9, 1)
    return Restorer(MixingPipeline(window), FacePart(MixingPipeline(window)) if knows_faces else None)


def request_of(clip: Path, result: Path, *, frames: int = 20, options: RestoreOptions | None = None) -> JobRequest:
    """What is asked of a job with segments of so many frames."""
    return JobRequest(clip, result, options or RestoreOptions(), STAND_IN, segment_frames=frames)


def planned(clip: Path, *, frames: int = 20, options: RestoreOptions | None = None) -> Job:
    """A job beside its clip, planned and no more."""
    request = request_of(clip, clip.with_name(f"job{clip.suffix}"), frames=frames, options=options)
    return Job.plan(request, clip.with_name("job"), stand_in())


def single_pass(clip: Path, restorer: Restorer, options: RestoreOptions | None = None) -> bytes:
    """The bytes of what `restore_file` makes of a clip."""
    result = clip.with_name(f"one{clip.suffix}")
    restorer.restore_file(clip, result, replace(options or RestoreOptions(), overwrite=True))
    return result.read_bytes()


def faces_of_list(path: Path, frames: int, cuts: tuple[int, ...] = ()) -> Path:
    """Write a list of faces as `vfe faces --json` does, of a clip of 64x48: one face in each shot, and a short one."""
    bounds = (0, *cuts, frames)
    tracks = [
        track_of(moving_boxes(stop - start, (4, 6, 24, 32), (0.2, 0)), start, number)
        for number, (start, stop) in enumerate(pairwise(bounds), start=1)
    ]
    if frames > 20:
        tracks.append(track_of(moving_boxes(9, (30, 10, 56, 42)), bounds[-2] + 3, len(tracks) + 1))
    faces = FaceTracks(width=64, height=48, frames=frames, cuts=cuts, tracks=tuple(tracks))
    path.write_text(faces.to_json(), encoding="utf-8")
    return path
