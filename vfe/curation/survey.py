"""A first pass over a source: its frames, its shots and the faces in them, kept on the disk for when work goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..face.detect.detector import MIN_FRAME_SIDE, DetectConfig, FaceDetector
from ..face.track.tracker import FaceTracker
from ..face.track.tracks import FaceTrack, FaceTracks
from ..files.aside import hidden_name, remove_leftovers
from ..restore.region import RegionPlan
from ..restore.survey import Survey, survey_pictures
from ..types import Progress, VFEError
from ..video.hdr import ColourCoding
from ..video.read import Decoded, open_source
from .sources import Part, Source

DETECTION = DetectConfig(mirror=False)
"""Half the time of a second look at the mirror image, which finds few faces more, and those small or blurred."""


def survey_of(source: Source, folder: Path, detector: FaceDetector, on_progress: Progress | None = None) -> Survey:
    """Return the survey that lies in `folder`, or take it and put it there. Raises VFEError for what cannot be read."""
    if folder.is_dir():
        try:
            return Survey.read(folder)
        except VFEError:  # damaged, or of another version
            shutil.rmtree(folder)
    survey = _take(source, detector, on_progress)
    remove_leftovers(folder)
    hidden = hidden_name(folder)
    hidden.mkdir(parents=True)
    try:
        survey.write(hidden)
        hidden.rename(folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return survey


def _take(source: Source, detector: FaceDetector, on_progress: Progress | None) -> Survey:
    with open_source(source.path) as opened:
        info = opened.info
        if min(info.width, info.height) < MIN_FRAME_SIDE:
            raise VFEError(
                f"{source.path}: frames of {info.width}x{info.height} are too small to find faces in, needed are sides "
                f"of {MIN_FRAME_SIDE} and more"
            )
        if ColourCoding(info.color_primaries, info.color_transfer, info.hdr).is_hdr:
            raise VFEError(f"{source.path}: is HDR (PQ or HLG), and training takes SDR; convert it first")
        finder = _Finder(source.parts, (info.width, info.height), detector)
        return survey_pictures(opened, finder.plan, on_progress)


class _Finder:
    """Finds the faces of the parts that are meant; of other pictures no frame is made."""

    def __init__(self, parts: tuple[Part, ...], size: tuple[int, int], detector: FaceDetector) -> None:
        self._parts, self._size, self._detector = parts, size, detector
        self._first_time: float | None = None

    def plan(self, pictures: Iterable[Decoded]) -> RegionPlan:
        """Return the faces as a plan, in which a part is a shot or several."""
        found: list[tuple[int, FaceTracks]] = []
        tracker, began, count = None, 0, 0
        current: Part | None = None
        for number, picture in enumerate(pictures):
            count = number + 1
            part = self._part_of(number, picture)
            if part is not current and tracker is not None:
                found.append((began, tracker.finish()))
                tracker = None
            current = part
            if self._parts and part is None:
                continue
            if tracker is None:
                tracker, began = FaceTracker(self._detector), number
            tracker.push(picture.frame().pixels)
        if tracker is not None:
            found.append((began, tracker.finish()))
        return RegionPlan(True, _joined(found, count, self._size))

    def _part_of(self, number: int, picture: Decoded) -> Part | None:
        """Return the part that a picture is in."""
        seconds = 0.0
        if picture.pts is not None and picture.time_base is not None:
            seconds = float(picture.pts * picture.time_base)
        if self._first_time is None:
            self._first_time = seconds
        at = {"frames": float(number), "seconds": seconds - self._first_time}
        return next((part for part in self._parts if part.start <= at[part.unit] < part.stop), None)


def _joined(found: list[tuple[int, FaceTracks]], frames: int, size: tuple[int, int]) -> FaceTracks:
    """Return the faces of parts, which begin at these frames, as those of a clip of so many frames."""
    edges = {0, frames}
    tracks: list[FaceTrack] = []
    for began, part in found:
        edges |= {began, *(began + cut for cut in part.cuts), began + part.frames}
        tracks += [replace(track, start=track.start + began) for track in part.tracks]
    return FaceTracks(
        width=size[0],
        height=size[1],
        frames=frames,
        cuts=tuple(sorted(edges - {0, frames})),
        tracks=tuple(replace(track, number=number) for number, track in enumerate(tracks, start=1)),
    )
