"""The faces of an IMAGE: found, masked, drawn and told of."""

from __future__ import annotations

import torch
from torch import Tensor

from ...vfe.face.detect.detector import FaceDetector
from ...vfe.face.draw.overlay import draw_tracks
from ...vfe.face.track.tracker import FaceTracker, TrackConfig
from ...vfe.face.track.tracks import FaceTrack, FaceTracks
from ..host.images import to_frame, to_image
from ..host.kept_files import KeptFiles, key_of
from ..host.reporter import Reporter
from ..sockets.clip_faces import ClipFaces
from .kept_faces import faces_once


def find_faces(images: Tensor, boxes: list[Tensor] | None, reporter: Reporter) -> FaceTracks:
    """Return all faces of an IMAGE, found by the built-in detector or from boxes (n, 4) on each frame.

    Those of the same IMAGE and boxes are kept from an earlier run.
    """
    clip = key_of("detector" if boxes is None else "boxes", tensors=(images, *(boxes or ())))
    return faces_once(KeptFiles(), clip, lambda: _find_anew(images, boxes, reporter))


def _find_anew(images: Tensor, boxes: list[Tensor] | None, reporter: Reporter) -> FaceTracks:
    tracker = FaceTracker(FaceDetector.load(), TrackConfig())
    for index, image in enumerate(images):
        tracker.push(to_frame(image), None if boxes is None else boxes[index])
        reporter.report(index + 1)
    return tracker.finish()


def mask_of(faces: ClipFaces) -> Tensor:
    """Return the MASK (T, H, W) of the faces."""
    return torch.stack(list(faces.masks()))


def overlay_of(images: Tensor, found: FaceTracks, reporter: Reporter) -> Tensor:
    """Return an IMAGE with boxes, points and numbers of the faces, and show the first frame that has some."""
    first = min((track.start for track in found.tracks), default=0)
    drawn = []
    for index, image in enumerate(images):
        frame = draw_tracks(to_frame(image), found, index)
        reporter.report(index + 1)
        if index == first:
            reporter.picture(frame)
        drawn.append(to_image(frame))
    return torch.stack(drawn)


def report(found: FaceTracks, chosen: FaceTracks) -> str:
    """Return a line for the clip and one for each face that was found, for people."""
    kept = {track.number for track in chosen.tracks}
    faces, shots = counted(len(found.tracks), "face"), counted(len(found.shots), "shot")
    lines = [f"{len(kept)} of {faces} chosen, {shots}, {counted(found.frames, 'frame')}"]
    for track in found.tracks:
        hidden = len(track.seen) - int(track.seen.sum())
        lines.append(
            f"face {track.number}: {_frames(track)}, {round(track.side)} px"
            + (f", out of sight on {hidden}" if hidden else "")
            + ("" if track.number in kept else ", not chosen")
        )
    return "\n".join(lines)


def _frames(track: FaceTrack) -> str:
    if track.stop - track.start == 1:
        return f"frame {track.start}"
    return f"frames {track.start} to {track.stop - 1}"


def counted(number: int, what: str) -> str:
    """Return a number of things for people: 1 face, 2 faces."""
    return f"{number} {what}{'' if number == 1 else 's'}"
