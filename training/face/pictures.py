"""What the face net is trained on: pictures with the faces known in them.

H W picture sides, P points of a face's outline. All coordinates are xy in pixels of the picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.manifest import read_items
from ..run.recorded import NOT_RECORDED

MASK_SIDE = 96
OUTLINE_TURNS = 64
"""Directions in which the outline of a face is sampled."""


@dataclass(frozen=True, kw_only=True)
class KnownFace:
    """One labelled face. A scene's label has a box only: no landmarks, outline or mask."""

    box: np.ndarray  # (4,) xyxy; of a face with an outline it touches the face itself, which the mask exceeds a little
    landmarks: np.ndarray | None = None  # (5, 2): image-left eye, image-right eye, nose tip, mouth corners
    outline: np.ndarray | None = None  # (P, 2): the mask's border, shrunk to the face itself


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image in halving sizes, so that a small copy is sampled without aliasing."""

    levels: tuple[Tensor, ...]  # (3, H / 2^i, W / 2^i) uint8
    faces: tuple[KnownFace, ...] = ()
    mask: Tensor | None = None  # (96, 96) uint8 over the whole picture: 0 or 1

    @property
    def height(self) -> int:
        return self.levels[0].shape[1]

    @property
    def width(self) -> int:
        return self.levels[0].shape[2]


@dataclass(frozen=True, kw_only=True)
class Album:
    """All pictures of a run by what they are good for."""

    portraits: list[list[Picture]]  # by manifest item: one face with landmarks, outline and mask in each picture
    turned: list[list[Picture]]  # the same items, every head turned to the side
    scenes: list[list[Picture]]  # by manifest item: every face of some size has a box
    empty: list[Picture]  # no face


@dataclass(frozen=True, kw_only=True)
class AlbumConfig:
    """Which items of a data folder are read, and how densely."""

    root: str = field(metadata=NOT_RECORDED)
    open_only: bool = True
    """Only items marked open in the manifest: needed for weights that are published."""
    clip_stride: int = 8
    clip_weight: int = 1
    """How many times as likely as a portrait a clip is drawn: there are more portraits, and people in clips move."""
    turns: tuple[float, float] = (25.0, 70.0)
    """Degrees between which each head is also shown turned to the side (training/face/turn.py)."""
    scene_stride: int = 6
    scene_faces: int = 2
    """Scenes with more faces than that are left out: in crowds only some faces are labelled."""
    empty: tuple[str, ...] = ("chelsea", "rocket", "grass", "clock", "moon", "page", "text")
    """Pictures of skimage.data without a face."""

    def __post_init__(self) -> None:
        if min(self.clip_stride, self.clip_weight, self.scene_stride, self.scene_faces) < 1:
            raise ValueError(f"{self}: needed are strides, a weight and a number of faces of at least 1")
        if not 0 <= self.turns[0] <= self.turns[1] <= 80:
            raise ValueError(f"turns={self.turns}, needed are two angles in order, from 0 to 80 degrees")


def read_manifest(root: Path) -> list[dict[str, Any]]:
    """The items of `root`/manifest.json; ValueError where there is none."""
    return read_items(root, "the album's root to a folder of labelled faces")


def read_portrait(root: Path, item: dict[str, Any], stride: int) -> list[Picture]:
    """Every `stride`-th frame of a labelled clip, or the one of a labelled portrait."""
    with np.load(root / item["label"]) as label:
        masks = np.unpackbits(label["masks"], axis=-1)
        boxes, landmarks, valid = label["boxes"], label["landmarks5"], label["valid"]
    pictures = []
    for index, frame in enumerate(read_frames(root / item["file"], stride)):
        at = index * stride
        if at >= len(masks) or not valid[at] or not masks[at].any():
            continue
        height, width = frame.shape[1:]
        scale = np.array([width, height], np.float32) / MASK_SIDE
        outline = shrink_to(outline_of(masks[at]) * scale, boxes[at])
        face = KnownFace(box=boxes[at], landmarks=landmarks[at].astype(np.float32), outline=outline)
        pictures.append(Picture(levels=pyramid(frame), faces=(face,), mask=torch.from_numpy(masks[at])))
    return pictures


def read_scene(root: Path, item: dict[str, Any], stride: int) -> list[Picture]:
    """Every `stride`-th frame of a scene, with the boxes found in it."""
    with np.load(root / item["label"]) as label:
        boxes = label["boxes"]
    pictures = []
    for index, frame in enumerate(read_frames(root / item["file"], stride)):
        known = boxes[index * stride]
        faces = tuple(KnownFace(box=box[:4].astype(np.float32)) for box in known if not np.isnan(box[0]))
        pictures.append(Picture(levels=pyramid(frame), faces=faces))
    return pictures


@lru_cache(maxsize=32)
def read_sample(name: str) -> Picture:
    """A picture without a face that scikit-image ships, by its name in skimage.data."""
    from skimage import data

    image = np.asarray(getattr(data, name)())
    rgb = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image[..., :3]
    return Picture(levels=pyramid(torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)))


def read_frames(path: Path, stride: int) -> list[Tensor]:
    """Every `stride`-th frame of a video or image: (3, H, W) uint8."""
    with av.open(str(path)) as container:
        return [
            torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1).contiguous()
            for index, frame in enumerate(container.decode(video=0))
            if index % stride == 0
        ]


def pyramid(picture: Tensor) -> tuple[Tensor, ...]:
    """The picture and its halves down to sides of about 24."""
    levels = [picture.contiguous()]
    while min(levels[-1].shape[1:]) >= 48:
        levels.append(F.avg_pool2d(levels[-1][None].float(), 2)[0].round_().byte())
    return tuple(levels)


def outline_of(mask: np.ndarray) -> np.ndarray:
    """The farthest mask cell from the centre in each of 64 directions: (P, 2) xy in cells."""
    ys, xs = np.nonzero(mask)
    points = np.stack([xs + 0.5, ys + 0.5], axis=-1).astype(np.float32)
    turns = np.arange(OUTLINE_TURNS) * (2 * np.pi / OUTLINE_TURNS)
    directions = np.stack([np.cos(turns), np.sin(turns)]).astype(np.float32)
    outline: np.ndarray = points[(points @ directions).argmax(axis=0)]
    return outline


def shrink_to(outline: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The outline moved and scaled so that `box` (xyxy) is its bounding box: masks exceed the face by some per cent."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    moved: np.ndarray = (outline - low) / np.maximum(high - low, 1e-3) * (box[2:] - box[:2]) + box[:2]
    return moved.astype(np.float32)


def album_hash(config: AlbumConfig) -> str:
    """SHA-256 of names and sizes of the files that are read: says which data trained a model."""
    root = Path(config.root)
    kinds = ("hq_image", "hq_video", "scene_video")
    names = [item["file"] for item in read_manifest(root) if admitted(item, config) and item["kind"] in kinds]
    lines = "\n".join(sorted(f"{name} {(root / name).stat().st_size}" for name in names))
    return hashlib.sha256(lines.encode()).hexdigest()


def admitted(item: dict[str, Any], config: AlbumConfig) -> bool:
    """Whether the config lets this item of the manifest in."""
    crowded = item["kind"] == "scene_video" and item["faces_max"] > config.scene_faces
    return (item["open"] or not config.open_only) and not crowded
