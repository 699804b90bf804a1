"""Restored crops of faces, pasted back into the IMAGE that they were cut out of."""

from __future__ import annotations

from torch import Tensor

from ...vfe.face.paste.paste import FacePatcher, Patch, paste
from ...vfe.types import VFEError
from ...vfe.video.resize import resize
from ..host.images import check_images, to_frame, to_image
from ..host.reporter import Reporter
from ..sockets.clip_faces import ClipFaces


def check_crops(faces: ClipFaces, crops: list[Tensor]) -> None:
    """Raise VFEError where the crops are not one square clip for each face."""
    for crop in crops:
        check_images(crop)
    needed = [len(track.boxes) for track in faces.tracks.tracks]
    got = [len(crop) for crop in crops]
    if got != needed:
        raise VFEError(
            f"the crops are {len(got)} clips of {got} frames, the faces are {len(needed)} on {needed} frames; connect "
            "what Face Crop gave for the same tracks, restored"
        )
    if any(crop.shape[1] != crop.shape[2] for crop in crops):
        raise VFEError("a crop is not square any more; needed are the crops of Face Crop, restored or resized evenly")


def paste_into(clip: Tensor, crops: list[Tensor], faces: ClipFaces) -> Tensor:
    """Return an IMAGE with restored faces; a pixel that nothing is pasted on is what it was, bit by bit."""
    patchers = dict(zip((track.number for track in faces.tracks.tracks), faces.patchers(), strict=True))
    restored = dict(zip(patchers, crops, strict=True))
    reporter = Reporter(len(clip))
    result = clip.detach().cpu().float().clone()
    for index, image in enumerate(result):
        frame = to_frame(image)
        patches = [
            _patch(patchers[track.number], frame, at, restored[track.number][at])
            for track, at in faces.tracks.at(index)
        ]
        pasted = paste(frame, patches)
        changed = (pasted != frame).any(dim=0)
        image[..., :3][changed] = to_image(pasted)[changed]
        reporter.report(index + 1)
    return result


def _patch(patcher: FacePatcher, frame: Tensor, index: int, restored: Tensor) -> Patch:
    """Return what changes in a frame (3, H, W) by a restored crop (S, S, C), which may be of another size by now."""
    face = resize(to_frame(restored), (patcher.side, patcher.side))
    return patcher.patch(frame, index, patcher.take(frame, index), face)
