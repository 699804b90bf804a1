"""Faces over time: where each is on each frame, and how much of a restored one is to be shown.

n frames of a track, S side of a region. Points are xy and boxes xyxy in pixels of the frame.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...types import Remedy, VFEError
from ..detect.upright import CROP_SCALE, crop_matrices, roll_of, unit_grid

MASK_SIDE = 32
FORMAT = "vfe-faces-1"
FACE_RADII = (0.43, 0.53)
"""Half of the axes, in widths and heights of the box, of the oval that stands for a region that is not known."""


@dataclass(frozen=True, kw_only=True)
class FaceTrack:
    """One face in one shot, on the consecutive frames `start` to `stop` - 1. Raises ValueError where shapes differ."""

    number: int
    """Its number from 1 on: by first appearance, then from left to right."""
    start: int
    boxes: Tensor
    """Boxes (n, 4) as measured or interpolated; they are not smoothed."""
    landmarks: Tensor
    """Landmarks (n, 5, 2), measured or interpolated as the boxes are."""
    scores: Tensor
    """Scores (n,), 0 to 1; 0 where the face was not seen."""
    seen: Tensor
    """Whether the face was measured on each frame (n,) and not interpolated."""
    presence: Tensor
    """How much of a restored face is to be shown on each frame (n,), 0 to 1.

    It is 1 where the face was seen and in short gaps. It fades in long gaps and where the track begins or ends inside a
    shot, but not at cuts and at the ends of the clip.
    """
    masks: Tensor
    """The face's region (n, S, S) uint8 in the upright square crop of `matrices`; 255 is inside."""
    matrices: Tensor
    """Matrices (n, 2, 3) that take a point of the crop, 0 to 1 on both axes, to pixels of the frame."""

    def __post_init__(self) -> None:
        n = len(self.boxes)
        got = [tuple(value.shape) for value in (self.boxes, self.landmarks, self.scores, self.seen, self.presence)]
        if n < 1 or got != [(n, 4), (n, 5, 2), (n,), (n,), (n,)]:
            raise ValueError(f"track {self.number}: got {got}, needed (n, 4), (n, 5, 2), (n,), (n,), (n,) with n >= 1")
        if tuple(self.matrices.shape) != (n, 2, 3) or self.masks.dim() != 3 or len(self.masks) != n:
            raise ValueError(
                f"track {self.number}: masks are {tuple(self.masks.shape)}, matrices {tuple(self.matrices.shape)}, "
                f"needed ({n}, S, S) and ({n}, 2, 3)"
            )

    @property
    def stop(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.boxes)

    @property
    def side(self) -> float:
        """How large the face is, in pixels: the side of a square with the area of its median box where it is seen."""
        boxes = self.boxes[self.seen] if bool(self.seen.any()) else self.boxes
        return float((boxes[:, 2:] - boxes[:, :2]).clamp(min=0).median(0).values.prod().sqrt())


@dataclass(frozen=True, kw_only=True)
class FaceTracks:
    """All faces of a clip of `frames` frames."""

    width: int
    height: int
    frames: int
    cuts: tuple[int, ...]
    """The first frames of the second, third and further shots."""
    tracks: tuple[FaceTrack, ...]

    @property
    def shots(self) -> tuple[tuple[int, int], ...]:
        """The first frame of each shot and the frame after its last."""
        return tuple(zip((0, *self.cuts), (*self.cuts, self.frames), strict=True))

    def at(self, frame: int) -> list[tuple[FaceTrack, int]]:
        """Return the tracks that go over a frame, and the index of this frame within each."""
        return [(track, frame - track.start) for track in self.tracks if track.start <= frame < track.stop]

    def keep(self, numbers: Collection[int]) -> FaceTracks:
        """Return only the tracks of these numbers, which stay as they are. Raises VFEError for numbers that are not
        there.
        """
        known = [track.number for track in self.tracks]
        if missing := sorted(set(numbers) - set(known)):
            there = f"the faces are {', '.join(map(str, known))}" if known else "no face was found"
            fact = f"there is no face {', '.join(map(str, missing))}: {there}"
            raise VFEError(fact, Remedy.SEE_FACES, "`vfe faces` shows them")
        return replace(self, tracks=tuple(track for track in self.tracks if track.number in numbers))

    def to_json(self) -> str:
        """Return everything but masks and matrices as JSON, rounded to 2 decimals.

        Each kind of values of each face has a line.
        """
        head = {"format": FORMAT, "width": self.width, "height": self.height, "frames": self.frames}
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in (head | {"cuts": self.cuts}).items()]
        faces = ",\n".join(_face_json(track) for track in self.tracks)
        return "{\n " + ",\n ".join(lines) + ',\n "faces": [\n' + faces + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> FaceTracks:
        """Read what `to_json` wrote; regions, which are not in it, are ovals. Raises VFEError for anything else."""
        try:
            raw = json.loads(text)
            if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
                raise VFEError(f"not a list of faces by `vfe faces`: needed is JSON with the format {FORMAT}")
            sizes = {name: int(raw[name]) for name in ("width", "height", "frames")}
            tracks = tuple(_track_of(face) for face in raw["faces"])
            read = cls(cuts=tuple(int(cut) for cut in raw["cuts"]), tracks=tracks, **sizes)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, VFEError):
                raise
            raise VFEError(f"the list of faces is damaged ({error!r}); write it again with `vfe faces`") from error
        check_shots(read)
        return read


def oval_masks(boxes: Tensor, side: int = MASK_SIDE) -> Tensor:
    """Return ovals in place of regions, in the crops of upright faces with boxes (n, 4): (n, S, S) uint8."""
    sizes = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    radii = sizes / sizes.prod(-1, keepdim=True).sqrt() / CROP_SCALE * boxes.new_tensor(FACE_RADII) * 1.1
    offsets = (unit_grid(side, boxes.device) - 0.5) / radii[:, None, None]
    return (((1 - offsets.norm(dim=-1)) * side / 4 + 0.5).clamp(0, 1) * 255).round().byte()


def check_shots(tracks: FaceTracks) -> None:
    """Raise VFEError for tracks that reach beyond the clip or over a cut."""
    for track in tracks.tracks:
        if not any(first <= track.start and track.stop <= stop for first, stop in tracks.shots):
            raise VFEError(
                f"face {track.number} is on frames {track.start} to {track.stop - 1}, which is in no shot of the "
                f"{tracks.frames} frames with cuts at {list(tracks.cuts)}",
                command="write the list again with `vfe faces`",
            )


def _face_json(track: FaceTrack) -> str:
    values: dict[str, Any] = {"number": track.number, "start": track.start}
    for name in ("boxes", "landmarks", "scores", "presence"):
        values[name] = _rounded(getattr(track, name).tolist())
    values["seen"] = [int(seen) for seen in track.seen.tolist()]
    return "  {" + ",\n   ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()) + "}"


def _rounded(values: Any) -> Any:  # noqa: ANN401 - lists of lists of floats
    return [_rounded(value) for value in values] if isinstance(values, list) else round(values, 2)


def _track_of(face: Mapping[str, Any]) -> FaceTrack:
    boxes, landmarks = (torch.tensor(face[name], dtype=torch.float32) for name in ("boxes", "landmarks"))
    matrices = crop_matrices(boxes, roll_of(landmarks))
    return FaceTrack(
        number=int(face["number"]),
        start=int(face["start"]),
        boxes=boxes,
        landmarks=landmarks,
        scores=torch.tensor(face["scores"], dtype=torch.float32),
        seen=torch.tensor(face["seen"], dtype=torch.bool),
        presence=torch.tensor(face["presence"], dtype=torch.float32),
        masks=oval_masks(boxes),
        matrices=matrices,
    )
