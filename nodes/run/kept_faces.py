"""Faces that were found in a clip are found once: they are kept until ComfyUI starts again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from torch import Tensor

from ...vfe.face.track.remembered import FaceMemory
from ...vfe.face.track.tracks import FaceTracks
from ...vfe.restore.face_stream import FacePart
from ...vfe.restore.restorer import Restorer
from ...vfe.restore.survey_columns import FacesHead, face_columns, read_tracks
from ...vfe.restore.work import FramePipeline
from ...vfe.tensor_io.source import TensorSource
from ..host.kept_files import KeptFiles, key_of

HEAD = "head"
"""The key, in a file's metadata, of what is said once of all faces."""


def faces_once(kept: KeptFiles, clip: str, find: Callable[[], FaceTracks]) -> FaceTracks:
    """Return all faces of a clip: those that are kept for it, or what `find` gives, which is kept then.

    `clip` tells it, and what else the faces depend on, from all others.
    """
    key = key_of("faces", clip)
    found = kept.find(key, _read)
    if found is None:
        found = find()
        head = [found.width, found.height, found.frames, list(found.cuts)]
        kept.keep(key, face_columns(found), {HEAD: json.dumps(head)})
    return found


def _read(source: TensorSource) -> FaceTracks:
    width, height, frames, cuts = json.loads(source.metadata[HEAD])
    return read_tracks(source, FacesHead(width, height, tuple(cuts)), frames)


class FindsOnce(Restorer):
    """A restorer of one clip, whose faces are looked for only where they are not kept yet."""

    def __init__(self, pipeline: FramePipeline, face_part: FacePart | None, kept: KeptFiles, clip: str) -> None:
        """`clip` tells the clip from all others."""
        super().__init__(pipeline, face_part)
        self._kept, self._clip = kept, clip

    def find_faces(self, memory: FaceMemory | None, frames: Iterable[Tensor]) -> FaceTracks:
        """Return all faces in the clip; no frame is pulled where they are kept."""
        plain = super().find_faces
        return faces_once(self._kept, self._clip, lambda: plain(memory, frames))
