"""The faces of an IMAGE restored, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from ...vfe.restore.face_stream import FacePart, FaceStream, restore_frames_and_faces
from ...vfe.types import VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.images import to_frames
from ..host.reporter import MANY, Reporter
from ..sockets.clip_faces import ClipFaces

SHOWN_EVERY = 16  # frames


@dataclass(frozen=True)
class FaceRestoration:
    """Restores the faces of frames that are in memory."""

    part: FacePart
    faces: ClipFaces
    strength: float

    def restored(self, before: Tensor, images: Tensor) -> Iterator[Tensor]:
        """Yield the frames (3, H, W) of an IMAGE with restored faces; `before` is the IMAGE of the originals."""
        reporter = Reporter(len(images))
        reporter.begin(("Restoring faces",))
        stream = FaceStream(self.part, self.faces.tracks, self.faces.config, self.strength, reporter.report)

        def with_images(originals: Iterable[Tensor]) -> Iterator[Tensor]:
            for _, frame in zip(originals, to_frames(images), strict=True):
                yield frame

        frames = restore_frames_and_faces(to_frames(before), with_images, stream)
        for index, (original, frame) in enumerate(zip(to_frames(before), frames, strict=True)):
            if index % SHOWN_EVERY == 0:
                reporter.compare(index, original, frame)
            yield frame
        reporter.report(len(images))
        reporter.say("Done")


def upright_part(restorer: ComfyRestorer, faces: ClipFaces) -> FacePart:
    """Load a restorer that has no part for faces, to restore upright crops of them as it does frames."""
    side = max(patcher.side for patcher in faces.patchers())
    return FacePart(restorer.enhancer(VideoShape(MANY, side, side), None))
