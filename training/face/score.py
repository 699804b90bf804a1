"""The face net on the dev set: `python -m training.face.score [FILE] [--root ../shared/data/dev]`.

Recall and precision on scenes, landmarks and masks on portraits and clips, and frames per second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.face.detect.boxes import iou
from vfe.face.detect.detector import Face, FaceDetector
from vfe.face.detect.net import FaceNet
from vfe.face.detect.upright import put_back

from .pictures import read_frames, read_manifest

MATCH_IOU = 0.4
"""Overlap from which on a found box is the labelled one: scenes are labelled with squares from brows to chin."""
LARGE_FACE_HEIGHT = 48.0
"""Height in pixels of labelled boxes that must be found; smaller ones may be."""


class SceneScores(NamedTuple):
    """Counts of faces over the frames of scenes."""

    wanted: int
    found: int
    false: int  # of all sizes
    false_large: int  # of LARGE_FACE_HEIGHT height and more


@dataclass(frozen=True)
class FaceScores:
    """What `score_net` measures. Landmark errors are means over the five points in eye distances."""

    scenes: SceneScores
    landmark_errors: list[float]
    mask_ious: list[float]
    box_ious: list[float]
    missed: int

    @property
    def recall(self) -> float:
        """The share of labelled faces in scenes that were found."""
        return self.scenes.found / max(self.scenes.wanted, 1)

    @property
    def precision(self) -> float:
        """Every box that is found where none is labelled counts as wrong, of whatever size."""
        return self.scenes.found / max(self.scenes.found + self.scenes.false, 1)

    @property
    def total(self) -> float:
        """One number to choose weights by, higher is better."""
        figures = self.figures()
        return self.recall + self.precision + figures["mask_iou"] - 2 * figures["landmarks"] - 0.01 * self.missed

    def figures(self) -> dict[str, float]:
        """The single figures by name."""
        large = self.scenes.found / max(self.scenes.found + self.scenes.false_large, 1)
        return {
            "recall": self.recall,
            "precision": self.precision,
            "precision_large": large,
            "landmarks": float(np.mean(self.landmark_errors)) if self.landmark_errors else 1.0,
            "mask_iou": float(np.mean(self.mask_ious)) if self.mask_ious else 0.0,
            "box_iou": float(np.mean(self.box_ious)) if self.box_ious else 0.0,
            "missed": float(self.missed),
        }


def score_net(net: FaceNet, root: Path, stride: int = 8, closed: bool = False) -> FaceScores:
    """Score on every `stride`-th frame of the items of `root`, or of those that are `closed` to training alone. Raises
    ValueError where it has no manifest."""
    detector = FaceDetector(net)
    items = [item for item in read_manifest(root) if not (closed and item["open"])]
    scenes = [item for item in items if item["kind"] == "scene_video"]
    counts = [score_scene_frame(detector, *pair) for item in scenes for pair in scene_frames(root, item, stride)]
    total = SceneScores(*(sum(column) for column in zip(*counts, strict=True))) if counts else SceneScores(0, 0, 0, 0)
    scores = FaceScores(total, [], [], [], 0)
    for item in items:
        if item["kind"] in ("hq_image", "hq_video"):
            scores = _with_item(scores, detector, root, item, stride)
    return scores


def scene_frames(root: Path, item: dict[str, Any], stride: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Frames (3, H, W) in [-1, 1] and their boxes (K, 4)."""
    with np.load(root / item["label"]) as label:
        boxes = torch.from_numpy(label["boxes"]).float()
    for index, frame in enumerate(read_frames(root / item["file"], stride)):
        known = boxes[index * stride]
        yield to_frame(frame), known[~known[:, 0].isnan(), :4]


def score_scene_frame(detector: FaceDetector, frame: Tensor, known: Tensor) -> SceneScores:
    """Found faces, best first, take the labelled box that they overlap most; a small one that is taken is neither."""
    faces = detector.detect(frame)
    large = (known[:, 3] - known[:, 1]) >= LARGE_FACE_HEIGHT
    free = torch.ones(len(known), dtype=torch.bool)
    found = false = false_large = 0
    for face in faces:
        overlap = iou(face.box[None].cpu(), known)[0] * free
        if len(known) and overlap.max() >= MATCH_IOU:
            free[overlap.argmax()] = False
            found += int(large[overlap.argmax()])
        else:
            false += 1
            false_large += int(float(face.box[3] - face.box[1]) >= LARGE_FACE_HEIGHT)
    return SceneScores(int(large.sum()), found, false, false_large)


def _with_item(scores: FaceScores, detector: FaceDetector, root: Path, item: dict[str, Any], stride: int) -> FaceScores:
    """The scores with those of one portrait or clip added."""
    with np.load(root / item["label"]) as label:
        boxes, landmarks = torch.from_numpy(label["boxes"]), torch.from_numpy(label["landmarks5"]).float()
        masks = torch.from_numpy(np.unpackbits(label["masks"], axis=-1))
    missed = scores.missed
    for index, frame in enumerate(read_frames(root / item["file"], stride)):
        at, picture = index * stride, to_frame(frame)
        face, overlap = best_match(detector.detect(picture), boxes[at])
        if face is None:
            missed += 1
            continue
        scores.box_ious.append(overlap)
        scores.landmark_errors.append(landmark_error(face.landmarks.cpu(), landmarks[at]))
        scores.mask_ious.append(mask_iou(detector.mask(picture, face).cpu(), masks[at]))
    return FaceScores(scores.scenes, scores.landmark_errors, scores.mask_ious, scores.box_ious, missed)


def best_match(faces: list[Face], box: Tensor) -> tuple[Face | None, float]:
    """The found face that overlaps a labelled box (4,) most, and by how much; None under MATCH_IOU."""
    rated = [(float(iou(face.box[None].cpu(), box[None])), face) for face in faces]
    overlap, best = max(rated, key=lambda pair: pair[0], default=(0.0, None))
    return (best, overlap) if overlap >= MATCH_IOU else (None, overlap)


def landmark_error(found: Tensor, known: Tensor) -> float:
    """Mean distance of five points (5, 2) in distances of the known eyes."""
    return float((found - known).norm(dim=-1).mean() / (known[1] - known[0]).norm().clamp(min=1e-3))


def mask_iou(found: Tensor, known: Tensor) -> float:
    """Intersection over union of a region (H, W), from 0.5 on, and a labelled mask of any size."""
    truth = F.interpolate(known[None, None].float(), size=found.shape, mode="nearest")[0, 0] > 0.5
    inside = found > 0.5
    return float((inside & truth).sum() / (inside | truth).sum().clamp(min=1))


def to_frame(stored: Tensor) -> Tensor:
    """A uint8 frame (3, H, W) as floats in [-1, 1]."""
    return stored.float() / 127.5 - 1


class Speed(NamedTuple):
    """Frames a second by the wall clock, and by the processor time of all threads: the latter on a busy machine."""

    wall: float
    processor: float
    frames: int


def measure_speed(detector: FaceDetector, frames: list[Tensor], every: int = 4) -> Speed:
    """Frames (3, H, W): detection on every `every`-th, the faces followed on the others, a full mask for the best."""
    faces: list[Face] = []
    wall, processor = time.perf_counter(), time.process_time()
    for index, frame in enumerate(frames):
        if index % every == 0:
            faces = detector.detect(frame)[:1]
        close = detector.follow(frame, faces)
        faces = [near.face for near in close]
        for near in close:
            put_back(near.mask, near.matrix, *frame.shape[-2:])
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Speed(len(frames) / wall, len(frames) / processor, len(frames))


def speed_frames(root: Path, count: int) -> list[Tensor]:
    """Frames of 640 x 360 of the first such scene. Raises ValueError where `root` has none."""
    for item in read_manifest(root):
        if item["kind"] == "scene_video" and item["size"] == [640, 360]:
            return [to_frame(frame) for frame in read_frames(root / item["file"], 1)[:count]]
    raise ValueError(f"{root} has no scene of 640 x 360 to measure the speed on")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="a face net's file; the bundled one without")
    parser.add_argument("--root", type=Path, default=Path("../shared/data/dev"))
    parser.add_argument("--stride", type=int, default=4, help="every how many frames are scored")
    parser.add_argument("--closed", action="store_true", help="only what is not open, as of a folder trained on")
    args = parser.parse_args()
    detector = FaceDetector.load(args.file)
    scores = score_net(detector.net, args.root, args.stride, args.closed)
    for name, value in scores.figures().items():
        print(f"{name:16} {value:.4f}")
    print(f"scenes           {scores.scenes}")
    measure_speed(detector, speed_frames(args.root, 8))
    print(f"speed            {measure_speed(detector, speed_frames(args.root, 96))}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
