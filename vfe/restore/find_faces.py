"""What of a file is restored: its faces are found in a first pass over it, before a second one restores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from ..face.detect.detector import MIN_FRAME_SIDE, FaceDetector
from ..face.paste.crop_box import CropConfig, crop_boxes
from ..face.paste.resample import box_area
from ..face.track.remembered import FaceMemory
from ..face.track.select import FaceSelection
from ..face.track.tracker import track_faces
from ..face.track.tracks import FaceTracks
from ..options import RestoreOptions
from ..types import Progress, Remedy, VFEError
from ..video.errors import about, reading
from ..video.read import Frame
from .region import Pictures, RegionPlan

FindFaces = Callable[[Iterable[Tensor]], FaceTracks]
"""Gets the frames of a clip, (3, H, W) in [-1, 1], and gives all of its faces."""

FILLED = 0.5
"""The share of the picture from which on, if crop boxes of faces fill more, the region auto restores whole frames."""


def plan_region(
    info: Pictures,
    frames: Iterable[Frame],
    options: RestoreOptions,
    on_progress: Progress | None,
    *,
    has_face_part: bool,
    find: FindFaces,
) -> RegionPlan:
    """Look through a file for faces, at its own size, in which they are chosen too; not where nothing depends on them.

    `has_face_part` says whether faces of whole frames are restored as well. `on_progress` gets the frames looked at
    and, where known, their total. `find` finds all faces. Raises VFEError for files that cannot be read, for faces that
    are not there, where nothing but faces is to be restored for frames that are too small for them, and as `find` does.
    """
    beside = has_face_part and options.blend > 0
    if options.region == "frame" and not beside:
        return RegionPlan(True, None)
    tracks = find_tracks(info, frames, options, on_progress, find)
    if options.region == "frame":
        return RegionPlan(True, tracks, (describe(tracks),) if tracks and tracks.tracks else ())
    if tracks is None:
        return RegionPlan(True, None, ("whole frames were restored: they are too small to find faces in",))
    found = tracks if beside else None
    if options.region == "auto" and not tracks.tracks:
        return RegionPlan(True, tracks, ("whole frames were restored: no face was found",))
    if options.region == "auto" and (share := filled(tracks, CropConfig())) > FILLED:
        note = f"whole frames were restored: faces fill {100 * share:.0f} % of the picture"
        return RegionPlan(True, found, (note,) if found is None else (note, describe(found)))
    return RegionPlan(False, tracks, (describe(tracks),))


def find_tracks(
    info: Pictures,
    frames: Iterable[Frame],
    options: RestoreOptions,
    on_progress: Progress | None,
    find: FindFaces,
) -> FaceTracks | None:
    """Return the chosen faces, placed in frames of the output's size; None for frames too small to find any in.

    `find` is that of `plan_region`. Raises VFEError as that does.
    """
    selection = FaceSelection.parse(options.faces, options.min_face)
    width, height, total = info.width, info.height, info.frames
    if min(width, height) < MIN_FRAME_SIDE:
        if options.region != "face":
            return None
        raise VFEError(
            f"{info.path}: frames of {width}x{height} are too small to find faces in, needed are sides of "
            f"{MIN_FRAME_SIDE} and more",
            Remedy.RESTORE_WHOLE_FRAMES,
            "restore whole frames (--region frame)",
        )

    def pixels() -> Iterator[Tensor]:
        for done, frame in enumerate(frames):
            if on_progress is not None:
                on_progress(done, total)
            yield frame.pixels

    if options.tracks is not None:
        return scaled(selection.of(read_tracks(options.tracks, info)), *options.output_size(width, height))
    shown = pixels()
    first = next(shown, None)
    if first is None:
        raise VFEError(f"{info.path}: no frame could be decoded")
    found = find(chain([first], shown))
    return scaled(selection.of(found), *options.output_size(width, height))


def find_anew(frames: Iterable[Tensor], memory: FaceMemory | None = None) -> FaceTracks:
    """Return all faces of a clip, by the built-in detector; `memory` has what was answered about its frames before.

    Raises VFEError where the memory cannot be written.
    """
    return track_faces(frames, FaceDetector.load(), memory=memory)


def read_tracks(path: Path, info: Pictures) -> FaceTracks:
    """Return the faces that a file lists. Raises VFEError where it is none, or for frames of another size."""
    with reading(path):
        text = path.read_bytes().decode("utf-8", "replace")
    with about(path):
        tracks = FaceTracks.from_json(text)
    if (tracks.width, tracks.height) != (info.width, info.height):
        raise VFEError(
            f"{path}: lists faces of frames of {tracks.width}x{tracks.height}, those of {info.path} are "
            f"{info.width}x{info.height}",
            command="write the list of this clip with `vfe faces --json`",
        )
    return tracks


def scaled(tracks: FaceTracks, width: int, height: int) -> FaceTracks:
    """Return the tracks, moved to where the faces are in frames of another size in pixels."""
    if (width, height) == (tracks.width, tracks.height):
        return tracks
    scale = torch.tensor([width / tracks.width, height / tracks.height])
    moved = tuple(
        replace(
            track,
            boxes=track.boxes * scale.repeat(2),
            landmarks=track.landmarks * scale,
            matrices=track.matrices * scale[:, None],
        )
        for track in tracks.tracks
    )
    return replace(tracks, width=width, height=height, tracks=moved)


def filled(tracks: FaceTracks, config: CropConfig) -> float:
    """Return the share of the picture that crop boxes of faces fill, 0 to 1: the mean over the frames with faces."""
    areas = [0.0] * tracks.frames
    for track in tracks.tracks:
        boxes = crop_boxes(track, config)
        for index in range(len(boxes)):
            area = box_area(boxes[index], tracks.height, tracks.width)
            areas[track.start + index] += (area.bottom - area.top) * (area.right - area.left)
    shares = [min(area / (tracks.width * tracks.height), 1.0) for area in areas if area]
    return sum(shares) / len(shares) if shares else 0.0


def describe(tracks: FaceTracks) -> str:
    """Say in one line how many faces were restored on how many frames."""
    if not tracks.tracks:
        return "no face was found: the frames are as they were"
    on = sum(1 for frame in range(tracks.frames) if tracks.at(frame))
    faces = "1 face" if len(tracks.tracks) == 1 else f"{len(tracks.tracks)} faces"
    return f"{faces} restored on {on} of {tracks.frames} frames"
