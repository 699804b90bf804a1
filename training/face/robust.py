"""What a face net finds where pictures are bad and heads are turned: `python -m training.face.robust [FILE]
[--root ../shared/data/dev]`.

Degraded copies: the labelled clips, their first 33 frames as in the restoration benchmark, and portraits, as they are
and at the benchmark's three levels. Turned heads: the same people, turned to known angles by the plain model of
training/face/turn.py, their faces half as high as a frame of 224 pixels, as they are and at the three levels.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vfe.degradations.vividface import degrade
from vfe.face.detect.detector import FaceDetector

from ..data.dev_set import LEVELS
from .pictures import Picture, read_frames, read_manifest, read_portrait
from .score import best_match, to_frame
from .turn import turned
from .warp import Rect, View, move_face, sample

MAX_CLIP_FRAMES = 33
YAW_DEGREES = (0, 15, 30, 45, 60, 75)
"""Degrees."""
TURNED_FRAME_SIDE = 224
"""Pixels of a frame with a turned head."""
CLEAN_LEVEL = "clean"


class LabelledClip(NamedTuple):
    """A clip with one labelled face in each frame; its sides are even, as codecs want them."""

    frames: Tensor  # (T, 3, H, W) uint8
    boxes: Tensor  # (T, 4)
    landmarks: Tensor  # (T, 5, 2)


@dataclass(frozen=True)
class Tally:
    """Counts over frames, and how far the landmarks of the found faces are off, in sides of the labelled box."""

    wanted: int = 0
    found: int = 0
    false: int = 0
    errors: tuple[float, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.wanted + other.wanted,
            self.found + other.found,
            self.false + other.false,
            self.errors + other.errors,
        )

    @property
    def recall(self) -> float:
        """The share of labelled faces that were found."""
        return self.found / max(self.wanted, 1)

    def __str__(self) -> str:
        error = f"{100 * np.mean(self.errors):.1f} %" if self.errors else "-"
        return f"recall {self.recall:.3f} ({self.found} of {self.wanted}), {self.false} wrong, landmarks off by {error}"


def read_people(root: Path) -> Iterator[LabelledClip]:
    """Every labelled clip and portrait. Raises ValueError where `root` has no manifest."""
    for item in read_manifest(root):
        if item["kind"] in ("hq_image", "hq_video"):
            yield _read(root, item)


def _read(root: Path, item: dict[str, Any]) -> LabelledClip:
    with np.load(root / item["label"]) as label:
        boxes, landmarks = torch.from_numpy(label["boxes"]).float(), torch.from_numpy(label["landmarks5"]).float()
    frames = torch.stack(read_frames(root / item["file"], 1)[:MAX_CLIP_FRAMES])
    height, width = (side // 2 * 2 for side in frames.shape[-2:])
    return LabelledClip(frames[..., :height, :width], boxes[:MAX_CLIP_FRAMES], landmarks[:MAX_CLIP_FRAMES])


def at_level(frames: Tensor, level: str, seed: int) -> Tensor:
    """Frames (T, 3, H, W) uint8 at a level of the benchmark, or as they are."""
    if level == CLEAN_LEVEL:
        return frames
    how = replace(LEVELS[level], careless=False)
    return degrade(frames.permute(0, 2, 3, 1), how, np.random.default_rng(seed)).permute(0, 3, 1, 2)


def turned_head(picture: Picture, degrees: float) -> LabelledClip:
    """A portrait turned to the side, its face in the middle of a frame of TURNED_FRAME_SIDE and half as high."""
    head = turned(picture, math.radians(degrees))
    box = head.faces[0].box
    view = View(
        (box[:2] + box[2:]) / 2,
        np.array([TURNED_FRAME_SIDE / 2, TURNED_FRAME_SIDE / 2]),
        TURNED_FRAME_SIDE / 2 / float(box[3] - box[1]),
    )
    seen = sample(head, view.to_canvas(), Rect(0, 0, TURNED_FRAME_SIDE, TURNED_FRAME_SIDE))
    face = move_face(head.faces[0], view)
    assert face.landmarks is not None
    frame = seen[:3].round().clamp(0, 255).byte()
    return LabelledClip(frame[None], torch.from_numpy(face.box)[None], torch.from_numpy(face.landmarks)[None])


def tally(detector: FaceDetector, shown: LabelledClip, stride: int) -> Tally:
    """Count what the detector finds on every `stride`-th frame; a found box that is not that of the labelled face is
    wrong."""
    total = Tally()
    for at in range(0, len(shown.frames), stride):
        faces = detector.detect(to_frame(shown.frames[at]))
        face, _ = best_match(faces, shown.boxes[at])
        if face is None:
            total += Tally(wanted=1, false=len(faces))
            continue
        side = (shown.boxes[at, 2:] - shown.boxes[at, :2]).prod().sqrt()
        error = float((face.landmarks.cpu() - shown.landmarks[at]).norm(dim=-1).mean() / side)
        total += Tally(1, 1, len(faces) - 1, (error,))
    return total


def tally_degraded(detector: FaceDetector, root: Path, stride: int) -> dict[str, Tally]:
    """The counts at each level of damage, over all people of `root`."""
    totals = dict.fromkeys((CLEAN_LEVEL, *LEVELS), Tally())
    for seed, shown in enumerate(read_people(root)):
        for level in totals:
            bad = shown._replace(frames=at_level(shown.frames, level, seed))
            totals[level] += tally(detector, bad, stride)
    return totals


def tally_turned(detector: FaceDetector, root: Path) -> dict[tuple[int, str], Tally]:
    """The counts by angle in degrees and level, over all people of `root`; of a clip the first frame is turned."""
    totals = {(angle, level): Tally() for angle in YAW_DEGREES for level in (CLEAN_LEVEL, *LEVELS)}
    items = [item for item in read_manifest(root) if item["kind"] in ("hq_image", "hq_video")]
    for seed, item in enumerate(items):
        picture = read_portrait(root, item, MAX_CLIP_FRAMES)[0]
        for angle in YAW_DEGREES:
            shown = turned_head(picture, angle)
            for level in (CLEAN_LEVEL, *LEVELS):
                bad = shown._replace(frames=at_level(shown.frames, level, seed))
                totals[angle, level] += tally(detector, bad, 1)
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="a face net's file; the bundled one without")
    parser.add_argument("--root", type=Path, default=Path("../shared/data/dev"))
    parser.add_argument("--stride", type=int, default=8, help="every how many frames of a degraded clip are scored")
    args = parser.parse_args()
    detector = FaceDetector.load(args.file)
    for level, total in tally_degraded(detector, args.root, args.stride).items():
        print(f"degraded, {level:8} {total}", flush=True)
    for (angle, level), total in tally_turned(detector, args.root).items():
        print(f"turned {angle} degrees, {level:8} {total}", flush=True)


if __name__ == "__main__":
    main()
