"""One range of a timeline as an input for the restorer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ..face.track.select import FaceSelection
from ..files.aside import written_aside
from ..options import RestoreOptions
from ..restore.find_faces import find_tracks, read_tracks
from ..restore.restorer import Restorer
from ..timeline.cutting import part_of, pictures_of
from ..timeline.results import Result
from ..timeline.timecode import Timecode, timecode_text
from ..types import Progress
from ..video.errors import writing
from ..video.probe import probe
from ..video.read import open_source

FACES_SUFFIX = ".faces.json"


def part_for(result: Result, work: Path, on_progress: Progress) -> Path:
    """Return the file that stands for the stretch of a result. Raises VFEError for what cannot be read or written."""
    media = result.media
    table = pictures_of(media, result.stretch.stop - 1, work, on_progress)

    def timecode(frame: int) -> str | None:
        first = media.timecode or Timecode(max(0, round(result.clips[0].origin)), False)
        return timecode_text(Timecode(first.frames + frame, first.drops), media.fps)

    return part_of(media, result.stretch, table, timecode)


def faces_for(part: Path, restorer: Restorer, options: RestoreOptions, on_progress: Progress) -> Path | None:
    """Find the faces of a range, and return the file that lists them; None where none of them is to be restored.

    An earlier run may have found them. Raises VFEError for what cannot be read or written.
    """
    path = part.with_suffix(FACES_SUFFIX)
    if not path.exists():
        with open_source(part) as source:
            everyone = replace(options, region="auto", faces="all", min_face=0, size=None, scale=None, tracks=None)
            tracks = find_tracks(source.info, source, everyone, on_progress, partial(restorer.find_faces, None))
        if tracks is None:
            return None
        with writing(path), written_aside(path) as aside:
            aside.write_text(tracks.to_json(), encoding="utf-8")
    chosen = FaceSelection.parse(options.faces, options.min_face).of(read_tracks(path, probe(part)))
    return path if chosen.tracks else None
