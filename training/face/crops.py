"""Crops for the refiner: faces as the detector would cut them out, and what it might take for faces.

S crop side. Coordinates of a crop are 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vfe.face.detect.upright import CROP_SCALE, roll_of

from .canvas import draw_texture, pick
from .photometric import draw_coarseness, weather
from .pictures import Album, Picture
from .warp import Rect, View, move_face, sample, sample_mask

ENLARGED_CROP_SHARE = 0.5
"""Crops of what is smaller in the frame than the crop is."""


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How far a crop may be from the true position and still count as that face, and how many are something else."""

    empty_share: float = 0.22
    """Crops beside faces: of other things, and far off ones."""
    part_share: float = 0.25
    """Crops of a part of a face, body or background much enlarged: ears, hands and letters look like small faces."""
    large_share: float = 0.08
    """Crops that are about twice too large for the face in them: one face is not to be found in two sizes."""
    scene_share: float = 0.08
    """Crops of faces in scenes, which are seen from more sides but have boxes only."""
    turned_share: float = 0.35
    """The share of the crops of a face whose head is turned to the side."""
    shift: float = 0.14
    """How far a crop is moved each way, in roots of the box's area."""
    zoom: float = 0.22
    """The most by which a crop is scaled each way, as a natural logarithm."""
    roll: float = 14.0
    """Degrees, one standard deviation."""

    def __post_init__(self) -> None:
        shares = (self.empty_share, self.part_share, self.large_share, self.scene_share)
        if not 0 <= self.turned_share <= 1:
            raise ValueError(f"turned_share={self.turned_share}, needed is a share from 0 to 1")
        if min(shares) < 0 or sum(shares) >= 1 or min(self.shift, self.zoom, self.roll) < 0:
            raise ValueError(f"{self}: needed are shares that add up to less than 1, and no negative number")


class Crop(NamedTuple):
    """One crop to train the refiner on, with its labels."""

    image: Tensor  # (3, S, S), 0 to 255
    is_face: bool
    landmarks: Tensor  # (5, 2), NaN where unknown
    mask: Tensor  # (S, S) of 0 and 1; -1 where unknown


def draw_crop(album: Album, config: CropConfig, rng: np.random.Generator, side: int) -> Crop:
    """A crop of `side`, by chance of a face or of none."""
    kind = rng.random()
    if kind < config.empty_share / 2:
        nothing = draw_texture(album, rng, side, side)
        return without_labels(weather(nothing, rng, draw_coarseness(rng, ENLARGED_CROP_SHARE)), is_face=False)
    if kind < config.empty_share:
        return draw_miss(album, rng, side)
    if kind < config.empty_share + config.scene_share and album.scenes:
        picture = pick(album.scenes, rng)
        if picture.faces:
            return draw_scene_face(picture, config, rng, side)
    elif kind < config.empty_share + config.scene_share + config.part_share:
        return draw_part(album, rng, side)
    elif kind < config.empty_share + config.scene_share + config.part_share + config.large_share:
        return draw_large(album, rng, side)
    faces = album.turned if rng.random() < config.turned_share else album.portraits
    return draw_face(pick(faces, rng), config, rng, side, album)


def draw_face(picture: Picture, config: CropConfig, rng: np.random.Generator, side: int, album: Album) -> Crop:
    """A face about upright, with everything known; sometimes partly hidden, cut off or tiny."""
    view = near_view(picture, config, rng, side)
    matrix, rect = view.to_canvas(), Rect(0, 0, side, side)
    seen = sample(picture, matrix, rect)
    assert picture.mask is not None
    mask = sample_mask(picture.mask, picture, matrix, rect)
    image = seen[:3] * seen[3] + (1 - seen[3]) * 127.5
    face = move_face(picture.faces[0], view)
    assert face.landmarks is not None
    image = cut_off(cover(image, album, rng), rng)
    return Crop(
        weather(image, rng, draw_coarseness(rng, ENLARGED_CROP_SHARE)),
        True,
        torch.from_numpy(face.landmarks / side),
        mask,
    )


def near_view(picture: Picture, config: CropConfig, rng: np.random.Generator, side: int) -> View:
    """The upright view of the face with the errors that the detector makes."""
    face = picture.faces[0]
    size = float(np.sqrt(np.prod(face.box[2:] - face.box[:2])))
    roll = 0.0 if face.landmarks is None else float(roll_of(torch.from_numpy(face.landmarks)))
    mirrored = bool(rng.random() < 0.5)
    anchor = (face.box[:2] + face.box[2:]) / 2 + rng.uniform(-config.shift, config.shift, 2) * size
    scale = side / (size * CROP_SCALE) * float(np.exp(rng.uniform(-config.zoom, config.zoom)))
    turn = (roll if mirrored else -roll) + np.deg2rad(rng.normal(0, config.roll))
    return View(anchor, np.array([side / 2, side / 2]), scale, float(turn), mirrored)


def draw_scene_face(picture: Picture, config: CropConfig, rng: np.random.Generator, side: int) -> Crop:
    """A face of a scene: it is one, but where its parts are is unknown."""
    face = picture.faces[int(rng.integers(len(picture.faces)))]
    alone = Picture(levels=picture.levels, faces=(face,))
    seen = sample(alone, near_view(alone, config, rng, side).to_canvas(), Rect(0, 0, side, side))
    image = seen[:3] * seen[3] + (1 - seen[3]) * 127.5
    return without_labels(weather(image, rng, draw_coarseness(rng, ENLARGED_CROP_SHARE)), is_face=True)


def draw_miss(album: Album, rng: np.random.Generator, side: int) -> Crop:
    """A crop of a portrait or scene that is far off: a part of a face at most, or a whole one that is small in it."""
    groups = album.scenes if album.scenes and rng.random() < 0.3 else album.portraits
    picture = pick(groups, rng)
    if not picture.faces:
        return without_labels(weather(draw_texture(album, rng, side, side), rng), is_face=False)
    box = picture.faces[0].box
    size = float(np.sqrt(np.prod(box[2:] - box[:2])))
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.2)
    anchor = (box[:2] + box[2:]) / 2 + size * far * np.array([np.cos(angle), np.sin(angle)])
    zoom = float(np.exp(rng.uniform(-0.2, 1.0)))
    view = View(anchor, np.array([side / 2, side / 2]), side / (size * CROP_SCALE) * zoom, rng.normal(0, 0.3))
    if len(picture.faces) > 1:
        return without_labels(weather(draw_texture(album, rng, side, side), rng), is_face=False)
    seen = sample(picture, view.to_canvas(), Rect(0, 0, side, side))
    image = seen[:3] * seen[3] + (1 - seen[3]) * 127.5
    return without_labels(weather(image, rng, draw_coarseness(rng, ENLARGED_CROP_SHARE)), is_face=False)


def draw_part(album: Album, rng: np.random.Generator, side: int) -> Crop:
    """A crop that is two to nine times too small for the face that it lies on or near."""
    picture = pick(scenes_or_portraits(album, rng, 0.4), rng)
    if not picture.faces:
        return without_labels(weather(draw_texture(album, rng, side, side), rng), is_face=False)
    box = picture.faces[int(rng.integers(len(picture.faces)))].box
    size = float(np.sqrt(np.prod(box[2:] - box[:2])))
    reach, least = (0.75, 0.9) if rng.random() < 0.5 else (1.3, 1.1)  # of the head itself, or of what is around it too
    anchor = (box[:2] + box[2:]) / 2 + rng.uniform(-reach, reach, 2) * size
    zoom = float(np.exp(rng.uniform(least, 2.2)))
    view = View(anchor, np.array([side / 2, side / 2]), side / (size * CROP_SCALE) * zoom, rng.normal(0, 0.5))
    seen = sample(picture, view.to_canvas(), Rect(0, 0, side, side))
    return without_labels(weather(seen[:3] * seen[3] + (1 - seen[3]) * 127.5, rng), is_face=False)


def draw_large(album: Album, rng: np.random.Generator, side: int) -> Crop:
    """A crop that holds a face, and about twice as much around it in each direction as it should."""
    picture = pick(scenes_or_portraits(album, rng, 0.6), rng)
    if not picture.faces:
        return without_labels(weather(draw_texture(album, rng, side, side), rng), is_face=False)
    box = picture.faces[int(rng.integers(len(picture.faces)))].box
    size = float(np.sqrt(np.prod(box[2:] - box[:2])))
    zoom = float(np.exp(rng.uniform(-1.2, -0.55)))
    anchor = (box[:2] + box[2:]) / 2 + rng.uniform(-0.4, 0.4, 2) * size / zoom
    view = View(anchor, np.array([side / 2, side / 2]), side / (size * CROP_SCALE) * zoom, rng.normal(0, 0.3))
    seen = sample(picture, view.to_canvas(), Rect(0, 0, side, side))
    beyond = 127.5 if rng.random() < 0.5 else seen[:3]
    image = seen[:3] * seen[3] + (1 - seen[3]) * beyond
    return without_labels(weather(image, rng, draw_coarseness(rng, ENLARGED_CROP_SHARE)), is_face=False)


def scenes_or_portraits(album: Album, rng: np.random.Generator, share: float) -> list[list[Picture]]:
    """Scenes in a share of all cases; else portraits, with the head turned or not."""
    if album.scenes and rng.random() < share:
        return album.scenes
    return album.turned if rng.random() < 0.4 else album.portraits


def without_labels(image: Tensor, *, is_face: bool) -> Crop:
    side = image.shape[-1]
    return Crop(image, is_face, torch.full((5, 2), torch.nan), torch.full((side, side), -1.0))


def cover(image: Tensor, album: Album, rng: np.random.Generator) -> Tensor:
    """Sometimes something in front of the face; the labels stay."""
    if rng.random() > 0.25:
        return image
    side = image.shape[-1]
    height, width = (int(side * share) for share in rng.uniform(0.12, 0.45, 2))
    top, left = int(rng.integers(side - height)), int(rng.integers(side - width))
    image[:, top : top + height, left : left + width] = draw_texture(album, rng, height, width)
    return image


def cut_off(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Sometimes nothing beyond one border, as at the border of the frame."""
    if rng.random() > 0.15:
        return image
    size = int(image.shape[-1] * rng.uniform(0.1, 0.45))
    blank = image.clone()
    border = int(rng.integers(4))
    region = [blank[:, :size], blank[:, -size:], blank[:, :, :size], blank[:, :, -size:]][border]
    region.fill_(127.5)
    return blank
