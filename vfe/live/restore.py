"""Groups of frames restored: each face in one aligned crop, which both parts of the model work on in turn.

B batch, S crop side, H W frame sides.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..face.paste.aligned import AlignedPatcher
from ..face.paste.paste import PasteConfig, Patch, paste
from ..face.paste.resample import Area
from ..face.track.tracks import FaceTrack
from ..models.lite import LiteModel
from ..pipeline.one_step import OneStepPipeline
from ..pipeline.one_tone import colour_share, in_tone_of
from ..restore.restorer import Restorer
from ..types import VFEError, never_cancelled
from .frame import Picture, ShownFrame
from .group import GROUP, FaceOfGroup, LiveGroup

AROUND = 1.7
"""How far from the middle of a face its crop reaches, however the head is tilted, in sides of the face's box."""


@dataclass(frozen=True)
class LiveOptions:
    """How faces are restored. Raises ValueError for values that make no sense."""

    strength: float = 1.0
    """From 0, which changes nothing, to 1."""
    fidelity: float = 0.2
    """From 1, faces as the part for frames makes them, to 0, as sharp as the part for faces makes them."""
    min_face: int = 24
    """Faces that are smaller, in pixels of the input, are left alone."""

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and 0 <= self.fidelity <= 1):
            raise ValueError(f"strength={self.strength}, fidelity={self.fidelity}: needed are numbers from 0 to 1")


class GroupRestorer:
    """Restores the faces of groups of frames, one group at a time."""

    def __init__(self, frames: LiteModel, faces: LiteModel | None, options: LiveOptions) -> None:
        self.frames, self.faces, self.options = frames, faces, options
        self.seconds = 0.0
        """How long the last group took."""

    @classmethod
    def of(cls, restorer: Restorer, options: LiveOptions) -> GroupRestorer:
        """Return what restores groups by a loaded model. Raises VFEError for a model that cannot do it live."""
        part = None if restorer.face_part is None or options.fidelity == 1 else restorer.face_part.pipeline
        frames = _model_of(restorer.pipeline, restorer.name)
        return cls(frames, None if part is None else _model_of(part, restorer.name), options)

    def warm_up(self) -> None:
        """Restore a group of nothing, so that the first one of a run takes no longer than the others."""
        side = AlignedPatcher.side
        self._restored(torch.zeros(1, 3, GROUP, side, side))

    def restore(self, group: LiveGroup) -> list[ShownFrame]:
        """Return the frames of a group with its faces restored. Frames without faces come out as they are."""
        began = time.monotonic()
        shown = [frame.picture for frame in group.frames]
        for face in group.faces:
            if face.track.side >= self.options.min_face:
                first = len(shown) - face.frames
                shown[first:] = self._with_face(shown[first:], face)
        self.seconds = time.monotonic() - began
        return [ShownFrame(frame, picture) for frame, picture in zip(group.frames, shown, strict=True)]

    @torch.inference_mode()
    def _with_face(self, pictures: list[Picture], face: FaceOfGroup) -> list[Picture]:
        """Return the frames on which a face is, with the face restored."""
        height, width = pictures[0].shape[:2]
        area = _around(face, height, width)
        patcher = AlignedPatcher(_moved(face.track, area), PasteConfig(), "bilinear")
        parts = [_pixels(picture, area) for picture in pictures]
        colours = colour_share(_pixels(pictures[-1], Area(0, height, 0, width)))
        indices = range(len(patcher.matrices) - face.frames, len(patcher.matrices))
        crops = [patcher.take(part, index) for part, index in zip(parts, indices, strict=True)]
        restored = self._restored(torch.stack(crops, dim=1)[None])[0].unbind(1)
        pasted = []
        for picture, part, index, crop, new in zip(pictures, parts, indices, crops, restored, strict=False):
            patch = patcher.patch(part, index, crop, new)
            whole = picture.copy()
            whole[patch.area.moved(area.top, area.left).slices] = _stored(_pasted(part, patch, colours))
            pasted.append(whole)
        return pasted

    def _restored(self, crops: Tensor) -> Tensor:
        """Restore aligned crops (B, 3, T, S, S) of 1 to GROUP frames; as many come out, or more."""
        missing = GROUP - crops.shape[2]
        clip = torch.cat([crops, crops[:, :, -1:].expand(-1, -1, missing, -1, -1)], dim=2) if missing else crops
        clip = clip.to(self.frames.device)
        made = _step(self.frames, clip, self.options.strength)
        if self.faces is not None:
            original = clip if self.faces.sees_original else None
            made = _step(self.faces, made, self.options.strength * (1 - self.options.fidelity), original)
        return made.float().cpu()


def _model_of(pipeline: object, name: str) -> LiteModel:
    """Return the model of a pipeline. Raises VFEError where it is none that restores single groups."""
    model = pipeline.model if isinstance(pipeline, OneStepPipeline) else None
    if not isinstance(model, LiteModel) or model.prior is not None or model.experts is not None:
        raise VFEError(f"{name}: cannot restore live, needed is a lite model without a prior and without experts")
    return model


@torch.inference_mode()
def _step(model: LiteModel, clip: Tensor, strength: float, original: Tensor | None = None) -> Tensor:
    """Restore a group in the middle of a clip, (B, 3, GROUP, S, S), as one latent."""
    z = model.codec.encode(clip, leads=False)
    seen = z if original is None else torch.cat([z, model.codec.encode(original, leads=False)], dim=1)
    velocity = model.velocity(seen, never_cancelled)
    return model.codec.decode(model.flow.restore(z, velocity, strength), leads=False).clamp_(-1, 1)


def _pasted(part: Tensor, patch: Patch, colours: float) -> Tensor:
    """Return the area of a patch, pasted, with a share of what changes in colour: the rest of the part stays."""
    rows, columns = patch.area.slices
    own = Area(0, patch.area.bottom - patch.area.top, 0, patch.area.right - patch.area.left)
    before = part[:, rows, columns]
    return in_tone_of(before, paste(before, [patch._replace(area=own)]), colours)


def _around(face: FaceOfGroup, height: int, width: int) -> Area:
    """Return the part of a frame of these sides in which a face is on all frames of a group, and what its crops see."""
    boxes = face.track.boxes[-face.frames :]
    reach = (boxes[:, 2:] - boxes[:, :2]).amax().clamp(min=1) * AROUND
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    left, top = (middles.amin(0) - reach).floor().int().tolist()
    right, bottom = (middles.amax(0) + reach).ceil().int().tolist()
    return Area(max(top, 0), min(bottom, height), max(left, 0), min(right, width))


def _moved(track: FaceTrack, area: Area) -> FaceTrack:
    """Return a track with its places counted from the corner of an area."""
    corner = torch.tensor([float(area.left), float(area.top)])
    matrices = track.matrices.clone()
    matrices[:, :, 2] -= corner
    return replace(track, boxes=track.boxes - corner.repeat(2), landmarks=track.landmarks - corner, matrices=matrices)


def _pixels(picture: Picture, area: Area) -> Tensor:
    """Return an area of a picture as (3, h, w) in [-1, 1]."""
    part = np.ascontiguousarray(picture[area.slices].transpose(2, 0, 1))
    return torch.from_numpy(part).float().mul_(1 / 127.5).sub_(1)


def _stored(pixels: Tensor) -> Picture:
    """Return pixels (3, h, w) in [-1, 1] as a picture."""
    levels = pixels.add(1).mul_(127.5).round_().clamp_(0, 255).byte()
    return levels.permute(1, 2, 0).numpy()
