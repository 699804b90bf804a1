"""Training clips: real face video, and portraits under a synthetic camera, degraded on the fly.

A clip is a pure function of the seed, the batch's number and the slot in the batch, so that a resumed run sees the same
data as one that never stopped, and two processes the same as one.

B batch, T frames, H W sides.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from vfe.degradations.frames import to_rgb
from vfe.degradations.protocol import Family
from vfe.types import padded_frames

from ..run.recorded import NOT_RECORDED
from ..run.stage import Slots
from .manifest import read_items


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is trained on. `root` holds manifest.json with hq_video, hq_image and labels beside it."""

    root: str = field(metadata=NOT_RECORDED)
    frames: int = 13
    side: int = 128
    batch: int = 8
    """Clips of one step, over all processes."""
    segment: int = 25
    """Frames degraded at once; crops are cut from it."""
    reuse: int = 8
    """Batches for which a segment serves, each with a crop of its own."""
    image_share: float = 0.5
    """Share of segments made from portraits."""
    face_share: float = 0.6
    """Share of crops centred on a point of the face; the others lie anywhere."""
    open_only: bool = True
    """Only items marked open in the manifest: needed for weights that are published."""
    min_sharpness: float = 0.0

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames != padded_frames(self.frames) or self.frames > self.segment:
            raise ValueError(f"frames={self.frames}, needed 4n+1 and at most segment={self.segment}")
        if self.side % 8 or self.batch < 1 or self.reuse < 1:
            raise ValueError(
                f"side={self.side} needs a multiple of 8, batch={self.batch} and reuse={self.reuse} 1 or more"
            )


class Batch(NamedTuple):
    """Degraded and clean video (B, 3, T, H, W) in [-1, 1], face mask (B, T, H, W) of 0 and 1."""

    degraded: Tensor
    clean: Tensor
    mask: Tensor


class Segment(NamedTuple):
    """A stretch of a clip that is degraded at once; crops of several batches are cut from it."""

    clean: Tensor  # (T, H, W, 3) uint8
    mask: Tensor  # (T, H, W) bool
    degraded: Tensor  # like clean


class Item(NamedTuple):
    """A clip or portrait of the training set, with the file of its face masks where it has one."""

    path: Path
    label: Path | None
    is_image: bool


def list_items(config: DataConfig) -> list[Item]:
    """The clips and portraits of the manifest that the config admits, in manifest order."""
    root = Path(config.root)
    entries = read_items(root, "data.root to a folder of training clips")
    kept = [
        entry
        for entry in entries
        if entry["kind"] in ("hq_video", "hq_image")
        and (entry["open"] or not config.open_only)
        and entry.get("sharp", np.inf) >= config.min_sharpness
        and entry["frames"] >= (config.segment if entry["kind"] == "hq_video" else 1)
    ]
    if not kept:
        raise ValueError(f"{root / 'manifest.json'} lists no clean clip or portrait that the config admits")
    return [
        Item(root / e["file"], root / e["label"] if e.get("label") else None, e["kind"] == "hq_image") for e in kept
    ]


def data_hash(items: list[Item]) -> str:
    """SHA-256 over the names and sizes of the items' files: says which list trained a model."""
    lines = "\n".join(sorted(f"{item.path.name} {item.path.stat().st_size}" for item in items))
    return hashlib.sha256(lines.encode()).hexdigest()


@lru_cache(maxsize=1024)
def read_frames(path: Path) -> Tensor:
    """All frames of a video or image: (T, H, W, 3) uint8. The frames of the last files that were asked for stay in
    memory."""
    with av.open(str(path)) as container:
        return torch.from_numpy(np.stack([to_rgb(frame) for frame in container.decode(video=0)]))


def read_masks(label: Path | None, frames: int, height: int, width: int) -> Tensor:
    """Face masks at frame size: (T, H, W) bool; all true without a label, so that masked loss is whole-frame loss."""
    if label is None:
        return torch.ones(frames, height, width, dtype=torch.bool)
    with np.load(label) as arrays:
        small = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1)[:frames])
    return F.interpolate(small[None].float(), size=(height, width), mode="nearest")[0] > 0.5


def camera_motion(picture: Tensor, mask: Tensor, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A portrait (3, H, W) and its mask (H, W) seen by a slowly moving camera: (T, S, S, 3) uint8 and (T, S, S) bool.

    Zoom, roll and shift follow straight lines and one slow sine, as a hand-held or panning camera does.
    """
    side = 288
    time = torch.linspace(0, 1, frames)
    swing = torch.sin(2 * np.pi * (time * rng.uniform(0.3, 1.2) + rng.uniform()))
    zoom = rng.uniform(0.6, 1.0) * (1 + rng.uniform(-0.08, 0.08) * time + rng.uniform(0, 0.01) * swing)
    roll = (
        np.deg2rad(rng.uniform(-8, 8)) + np.deg2rad(rng.uniform(-4, 4)) * time + np.deg2rad(rng.uniform(0, 0.7)) * swing
    )
    drift = (
        torch.from_numpy(rng.uniform(-0.12, 0.12, (2, 1)).astype(np.float32)) * time + 0.006 * rng.uniform(0, 1) * swing
    )
    cos, sin = torch.cos(roll) / zoom, torch.sin(roll) / zoom
    cos, sin = cos * side / picture.shape[1], sin * side / picture.shape[1]
    room = (1 - side / picture.shape[1] / zoom.min().item()) * 0.9
    centre = torch.from_numpy(rng.uniform(-1, 1, (2, 1)).astype(np.float32)) * max(room, 0.0) + drift
    theta = torch.stack([torch.stack([cos, -sin, centre[0]], -1), torch.stack([sin, cos, centre[1]], -1)], 1)
    grid = F.affine_grid(theta.float(), [frames, 3, side, side], align_corners=False)
    seen = F.grid_sample(
        picture.float().expand(frames, -1, -1, -1), grid, padding_mode="reflection", align_corners=False
    )
    face = F.grid_sample(
        mask.float().expand(frames, 1, -1, -1), grid, mode="nearest", padding_mode="reflection", align_corners=False
    )
    return seen.round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).contiguous(), face[:, 0] > 0.5


Kept = TypeVar("Kept")


class SegmentClips(IterableDataset[tuple[Tensor, ...]], ABC, Generic[Kept]):
    """Endless batches from number `start` on: crops, of those of the batch's slots that are `slots`, of what a subclass
    keeps as a segment.

    Each of the batch's slots keeps a segment for `reuse` batches; slots change at different times, so that the cost of
    degrading is even and a batch mixes fresh and known segments. Loader workers take batches in turn, each from a
    stream of its own: the data depends on the number of workers, not on their speed.
    """

    def __init__(self, config: DataConfig, seed: int, start: int = 0, slots: Slots | None = None) -> None:
        """`slots` are those of the whole batch where they are not given."""
        self.config, self.seed, self.start = config, seed, start
        self.slots = slots or Slots(0, config.batch, config.batch)

    @abstractmethod
    def segment(self, rng: np.random.Generator) -> Kept:
        """Draw a stretch of a clip."""

    @abstractmethod
    def crop(self, segment: Kept, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Cut a clip of `frames` x `side` x `side` from a segment: the tensors of one slot."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        segments: dict[int, tuple[int, Kept]] = {}
        for number in count(self.start + worker, workers):
            stream, visit = number % workers, number // workers
            crops = []
            for slot in self.slots:
                turn = (visit + slot * self.config.reuse // self.config.batch) // self.config.reuse
                key = [self.seed, stream, slot, turn]
                if slot not in segments or segments[slot][0] != turn:
                    segments[slot] = turn, self.segment(np.random.default_rng(key))
                crops.append(self.crop(segments[slot][1], np.random.default_rng([*key, visit + 1])))
            yield tuple(torch.stack(parts) for parts in zip(*crops, strict=True))


class FaceClips(SegmentClips[Segment]):
    """Endless batches of uint8 (degraded, clean) and bool mask."""

    def __init__(
        self,
        config: DataConfig,
        degradation: Family | None,
        seed: int,
        start: int = 0,
        slots: Slots | None = None,
    ) -> None:
        """Raises ValueError where `config.root` has no clips to train on. Without a `degradation`, the degraded clips
        are the clean ones."""
        super().__init__(config, seed, start, slots)
        self.degradation = degradation
        self.items = list_items(config)
        self._videos = [item for item in self.items if not item.is_image]
        self._images = [item for item in self.items if item.is_image]

    def segment(self, rng: np.random.Generator) -> Segment:
        clean, mask = self.clean_segment(rng)
        if self.degradation is None:
            return Segment(clean, mask, clean)
        how = self.degradation.draw(rng)
        return Segment(how.target(clean), mask, how.apply(clean, rng))

    def clean_segment(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw a stretch of a clip, or of a portrait under a moving camera, and its mask: (T, H, W, 3) uint8 and
        (T, H, W) bool."""
        from_image = bool(self._images) and (not self._videos or rng.random() < self.config.image_share)
        pool = self._images if from_image else self._videos
        item = pool[int(rng.integers(len(pool)))]
        frames = read_frames(item.path)
        masks = read_masks(item.label, *frames.shape[:3])
        if from_image:
            return camera_motion(frames[0].permute(2, 0, 1), masks[0], self.config.segment, rng)
        first = int(rng.integers(len(frames) - self.config.segment + 1))
        return frames[first : first + self.config.segment], masks[first : first + self.config.segment]

    def crop(self, segment: Segment, rng: np.random.Generator) -> tuple[Tensor, ...]:
        window = face_window(segment.mask, self.config, rng)
        return flipped((segment.degraded[window], segment.clean[window], segment.mask[window]), rng)


Window = tuple[slice, slice, slice]


def face_window(mask: Tensor, config: DataConfig, rng: np.random.Generator) -> Window:
    """Where to cut a clip from a segment with a mask (T, H, W): in frames, rows and columns, for a share of the draws
    around a point of the face."""
    frames, side = config.frames, config.side
    total, height, width = mask.shape
    start = int(rng.integers(total - frames + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    face = mask[start].nonzero()
    if len(face) and rng.random() < config.face_share:
        y, x = face[int(rng.integers(len(face)))].tolist()
        top, left = (min(max(p - side // 2, 0), size - side) for p, size in ((y, height), (x, width)))
    return slice(start, start + frames), slice(top, top + side), slice(left, left + side)


def flipped(parts: tuple[Tensor, ...], rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Parts (T, H, W, ...) of one clip, mirrored together for half of the draws."""
    return tuple(part.flip(2) for part in parts) if rng.random() < 0.5 else parts


def to_batch(degraded: Tensor, clean: Tensor, mask: Tensor) -> Batch:
    """Pairs (B, T, H, W, 3) uint8 and masks (B, T, H, W) bool, as loaded, to a `Batch` of floats on the same device."""
    degraded, clean = (x.permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1) for x in (degraded, clean))
    return Batch(degraded, clean, mask.float())
