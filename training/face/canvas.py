"""Frames for the detector, put together from labelled pictures: small, turned, cut-off, several and no faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .photometric import draw_coarseness, relight, weather
from .pictures import Album, KnownFace, Picture
from .warp import Rect, View, extent, invert, move_face, sample


@dataclass(frozen=True, kw_only=True)
class CanvasConfig:
    """Shares of the kinds of frames and the ranges that are drawn from."""

    sizes: tuple[tuple[int, int], ...] = ((192, 192), (256, 256), (192, 320), (320, 192), (320, 320))
    """Heights and widths; all frames of a batch have one of them."""
    close_share: float = 0.25
    """Frames with one portrait that fills them, often cut off."""
    scene_share: float = 0.25
    """Frames whose ground is a scene with the faces that are in it."""
    smallest: float = 9.0
    """Side of the smallest face in pixels: the root of its box's area."""
    turned_share: float = 0.35
    """Portraits whose head is turned to the side."""

    def __post_init__(self) -> None:
        if any(side % 64 for size in self.sizes for side in size) or not self.sizes:
            raise ValueError(f"sizes={self.sizes}: needed are multiples of 64")
        if self.close_share + self.scene_share > 1 or self.smallest <= 0:
            raise ValueError("close_share and scene_share add up to at most 1, smallest is above 0")
        if not 0 <= self.turned_share <= 1:
            raise ValueError(f"turned_share={self.turned_share}, needed is a share from 0 to 1")


@dataclass
class Canvas:
    """A frame while it is put together, the faces in it, and how much of each is hidden."""

    image: Tensor  # (3, H, W), 0 to 255
    faces: list[KnownFace] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)  # upper bound of the hidden share of each face
    coarseness: float = 1.0  # how many times larger than the picture that it was made from

    @property
    def height(self) -> int:
        return self.image.shape[1]

    @property
    def width(self) -> int:
        return self.image.shape[2]

    def paint(self, colour: Tensor, alpha: Tensor, rect: Rect) -> None:
        """Put `colour` (3, h, w) over the frame where `alpha` (h, w) says, and note which faces that hides."""
        part = self.image[:, rect.top : rect.bottom, rect.left : rect.right]
        part.lerp_(colour, alpha)
        for index, face in enumerate(self.faces):
            left, top, right, bottom = np.round(face.box).astype(int)
            x0, x1 = max(left, rect.left), min(right, rect.right)
            y0, y1 = max(top, rect.top), min(bottom, rect.bottom)
            if x1 > x0 and y1 > y0:
                hidden = (alpha[y0 - rect.top : y1 - rect.top, x0 - rect.left : x1 - rect.left] > 0.5).sum()
                self.covered[index] += float(hidden) / max((right - left) * (bottom - top), 1)

    def add(self, faces: list[KnownFace]) -> None:
        """Note that faces have been painted."""
        self.faces += faces
        self.covered += [0.0] * len(faces)

    def visible(self, index: int) -> float:
        """Share of a face's box that is on the frame and not painted over."""
        left, top, right, bottom = self.faces[index].box
        inside = max(min(right, self.width) - max(left, 0), 0) * max(min(bottom, self.height) - max(top, 0), 0)
        return float(inside / ((right - left) * (bottom - top))) * (1 - min(self.covered[index], 1.0))


def draw_canvas(album: Album, config: CanvasConfig, rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """One frame of `size` (height, width) and the faces that are in it."""
    canvas = Canvas(torch.zeros(3, *size))
    kind = rng.random()
    draw_ground(canvas, album, rng)
    if kind < config.close_share:
        paste_portrait(canvas, album, rng, min(size) * rng.uniform(0.35, 1.25), config.turned_share)
    elif kind < config.close_share + config.scene_share and album.scenes:
        paste_scene(canvas, album, rng)
    many = int(rng.choice([0, 1, 2, 3, 5], p=[0.3, 0.3, 0.2, 0.12, 0.08]))
    largest = min(size) * (0.25 if kind < config.close_share else 0.75)
    for _ in range(many):
        side = float(np.exp(rng.uniform(np.log(config.smallest), np.log(largest))))
        paste_portrait(canvas, album, rng, side, config.turned_share)
    for _ in range(int(rng.integers(0, 3))):
        occlude(canvas, album, rng)
    canvas.coarseness = draw_coarseness(rng)
    canvas.image = weather(canvas.image, rng, canvas.coarseness)
    return canvas


def paste_portrait(canvas: Canvas, album: Album, rng: np.random.Generator, side: float, turned: float) -> None:
    """A portrait, whole or cut out softly, so that its face has `side`; sometimes with the face hidden, and in a share
    of `turned` with the head turned to the side."""
    picture = pick(album.turned if rng.random() < turned else album.portraits, rng)
    position = free_position(canvas, side, rng)
    view = view_of(picture, position, side, rng)
    matrix = view.to_canvas()
    rect = extent(picture, matrix, canvas.height, canvas.width)
    if rect.right <= rect.left or rect.bottom <= rect.top:
        return
    seen = sample(picture, matrix, rect)
    alpha = seen[3]
    if rng.random() < 0.6:
        alpha = alpha * soft_ellipse(picture.faces[0].box, matrix, rect, rng)
    canvas.paint(relight(seen[:3], rng, 0.6), alpha, rect)
    face = move_face(picture.faces[0], view)
    if rng.random() < 0.06:
        hide(canvas, album, rng, face.box)
    else:
        canvas.add([face])


def paste_scene(canvas: Canvas, album: Album, rng: np.random.Generator) -> None:
    """Part of a scene frame at any scale, with all its faces."""
    picture = pick(album.scenes, rng)
    fit = max(canvas.height / picture.height, canvas.width / picture.width)
    scale = fit * float(np.exp(rng.uniform(np.log(0.8), np.log(2.5))))
    anchor = np.array([rng.uniform(0, picture.width), rng.uniform(0, picture.height)])
    if picture.faces and rng.random() < 0.7:
        box = picture.faces[int(rng.integers(len(picture.faces)))].box
        anchor = (box[:2] + box[2:]) / 2
    position = np.array([rng.uniform(0.1, 0.9) * canvas.width, rng.uniform(0.1, 0.9) * canvas.height])
    roll = rng.normal(0, np.deg2rad(5))
    view = View(anchor, position, scale, roll, mirrored=rng.random() < 0.5)
    rect = extent(picture, view.to_canvas(), canvas.height, canvas.width)
    if rect.right <= rect.left or rect.bottom <= rect.top:
        return
    seen = sample(picture, view.to_canvas(), rect)
    canvas.paint(relight(seen[:3], rng, 0.6), seen[3], rect)
    canvas.add([move_face(face, view) for face in picture.faces])


def pick(groups: list[list[Picture]], rng: np.random.Generator) -> Picture:
    """A picture: every item is as likely, however many frames it has."""
    group = groups[int(rng.integers(len(groups)))]
    return group[int(rng.integers(len(group)))]


def draw_roll(rng: np.random.Generator) -> float:
    """A head's roll in radians: mostly near upright, sometimes far from it."""
    return float(np.deg2rad(rng.uniform(-70, 70) if rng.random() < 0.2 else rng.normal(0, 13)))


def view_of(picture: Picture, position: np.ndarray, side: float, rng: np.random.Generator) -> View:
    """The view that puts the picture's face at `position`, with the root of its box's area being `side`."""
    box = picture.faces[0].box
    own = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
    return View((box[:2] + box[2:]) / 2, position, side / own, draw_roll(rng), mirrored=rng.random() < 0.5)


def free_position(canvas: Canvas, side: float, rng: np.random.Generator) -> np.ndarray:
    """A point away from the faces that are there, if one is found soon; it may lie near or over the frame's border."""
    position = np.zeros(2)
    for _ in range(8):
        position = np.array([rng.uniform(-0.02, 1.02) * canvas.width, rng.uniform(-0.02, 1.02) * canvas.height])
        boxes = [face.box for face in canvas.faces]
        gaps = [np.abs((b[:2] + b[2:]) / 2 - position) - (b[2:] - b[:2]) / 2 - side * 0.6 for b in boxes]
        if all(gap.max() > 0 for gap in gaps):
            break
    return position


def soft_ellipse(box: np.ndarray, matrix: np.ndarray, rect: Rect, rng: np.random.Generator) -> Tensor:
    """Weight (h, w) of a head around a face's box (in the picture): 1 inside, falling to 0 over a soft border."""
    back = invert(matrix)
    centre = (box[:2] + box[2:]) / 2 - np.array([0, (box[3] - box[1]) * rng.uniform(0.0, 0.2)])
    radii = (box[2:] - box[:2]) * rng.uniform(0.65, 1.2, 2)
    y = torch.arange(rect.top, rect.bottom, dtype=torch.float32)[:, None] + 0.5
    x = torch.arange(rect.left, rect.right, dtype=torch.float32)[None] + 0.5
    u = (float(back[0, 0]) * x + float(back[0, 1]) * y + float(back[0, 2] - centre[0])) / float(radii[0])
    v = (float(back[1, 0]) * x + float(back[1, 1]) * y + float(back[1, 2] - centre[1])) / float(radii[1])
    return torch.sigmoid((1 - torch.sqrt(u * u + v * v)) / rng.uniform(0.02, 0.12))


def hide(canvas: Canvas, album: Album, rng: np.random.Generator, box: np.ndarray) -> None:
    """Paint something without a face over a region and a little more: hair and shoulders alone are no face."""
    grown = np.concatenate([box[:2] - 0.15 * (box[2:] - box[:2]), box[2:] + 0.15 * (box[2:] - box[:2])])
    left, top = np.maximum(np.floor(grown[:2]), 0).astype(int)
    right, bottom = np.minimum(np.ceil(grown[2:]), [canvas.width, canvas.height]).astype(int)
    if right - left < 2 or bottom - top < 2:
        return
    rect = Rect(int(left), int(top), int(right), int(bottom))
    texture = draw_texture(album, rng, rect.bottom - rect.top, rect.right - rect.left)
    alpha = soft_ellipse(grown + np.array([0, 0, 1e-3, 1e-3]), np.eye(2, 3), rect, rng)
    canvas.paint(texture, torch.ones_like(alpha) if rng.random() < 0.5 else (alpha * 1.5).clamp(max=1), rect)


def occlude(canvas: Canvas, album: Album, rng: np.random.Generator) -> None:
    """Something in front of a part of a face, or anywhere."""
    if canvas.faces and rng.random() < 0.7:
        box = canvas.faces[int(rng.integers(len(canvas.faces)))].box
        side = (box[2:] - box[:2]) * rng.uniform(0.2, 0.65, 2)
        centre = rng.uniform(box[:2], box[2:])
    else:
        side = rng.uniform(0.05, 0.4, 2) * min(canvas.height, canvas.width)
        centre = rng.uniform(0, 1, 2) * [canvas.width, canvas.height]
    left, top = np.maximum(centre - side / 2, 0).astype(int)
    right, bottom = np.minimum(centre + side / 2, [canvas.width, canvas.height]).astype(int)
    if right - left < 2 or bottom - top < 2:
        return
    rect = Rect(int(left), int(top), int(right), int(bottom))
    texture = draw_texture(album, rng, rect.bottom - rect.top, rect.right - rect.left)
    canvas.paint(texture, torch.full(texture.shape[1:], 1.0 if rng.random() < 0.8 else 0.7), rect)


def draw_ground(canvas: Canvas, album: Album, rng: np.random.Generator) -> None:
    """Fill the frame with up to nine textures side by side; sometimes a strip without a picture, as padding leaves."""
    tiles = int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    ys = np.linspace(0, canvas.height, tiles + 1).astype(int)
    xs = np.linspace(0, canvas.width, tiles + 1).astype(int)
    for top, bottom in pairwise(ys):
        for left, right in pairwise(xs):
            canvas.image[:, top:bottom, left:right] = draw_texture(album, rng, int(bottom - top), int(right - left))


def draw_texture(album: Album, rng: np.random.Generator, height: int, width: int) -> Tensor:
    """A picture (3, height, width) of something without a face."""
    kind = rng.random()
    if kind < 0.3:
        return drawn_shapes(rng, height, width)
    if kind < 0.5 and album.empty:
        return zoomed(album.empty[int(rng.integers(len(album.empty)))], None, rng, (height, width))
    if kind < 0.65 and album.scenes:
        return beside_faces(pick(album.scenes, rng), rng, (height, width))
    return beside_faces(pick(album.portraits, rng), rng, (height, width))


def beside_faces(picture: Picture, rng: np.random.Generator, size: tuple[int, int]) -> Tensor:
    """A region left, right, above or below of all faces and their hair's edge."""
    if not picture.faces:
        return zoomed(picture, None, rng, size)
    low = np.min([face.box[:2] for face in picture.faces], axis=0)
    high = np.max([face.box[2:] for face in picture.faces], axis=0)
    pad = 0.12 * (high - low)
    (left, top), (right, bottom) = low - pad, high + pad
    strips = np.array(
        [
            [0, 0, left, picture.height],
            [right, 0, picture.width, picture.height],
            [0, 0, picture.width, top],
            [0, bottom, picture.width, picture.height],
        ]
    )
    sides = np.clip(strips[:, 2:] - strips[:, :2], 0, None)
    area = sides.prod(axis=1) * (sides.min(axis=1) >= 12)
    if not area.any():
        return drawn_shapes(rng, *size)
    return zoomed(picture, strips[rng.choice(4, p=area / area.sum())], rng, size)


def zoomed(picture: Picture, region: np.ndarray | None, rng: np.random.Generator, size: tuple[int, int]) -> Tensor:
    """A random part of a picture's region (xyxy), enlarged if it must be, that fills `size` (height, width)."""
    height, width = size
    x0, y0, x1, y1 = (0.0, 0.0, picture.width, picture.height) if region is None else region
    scale = max(width / (x1 - x0), height / (y1 - y0)) * float(np.exp(rng.uniform(0, 0.9)))
    room = np.array([x1 - x0 - width / scale, y1 - y0 - height / scale])
    anchor = np.array([x0, y0]) + room * rng.uniform(0, 1, 2)
    view = View(anchor, np.zeros(2), scale)
    seen = sample(picture, view.to_canvas(), Rect(0, 0, width, height))[:3]
    return seen.flip(2) if rng.random() < 0.5 else seen


def drawn_shapes(rng: np.random.Generator, height: int, width: int) -> Tensor:
    """A smooth ground with some stripes and ellipses, the latter as often in colours of skin as in any."""
    cells = int(rng.integers(1, 9))
    ground = torch.from_numpy(rng.uniform(0, 255, (1, 3, cells, cells)).astype(np.float32))
    image = F.interpolate(ground, size=[height, width], mode="bilinear")[0]
    image = image.mean() + (image - image.mean()) * rng.uniform(0.1, 1)
    y = torch.arange(height, dtype=torch.float32)[:, None]
    x = torch.arange(width, dtype=torch.float32)[None]
    if rng.random() < 0.3:
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 40)
        wave = torch.sin((x * float(np.cos(angle)) + y * float(np.sin(angle))) * float(2 * np.pi / period))
        image = image + wave * rng.uniform(5, 60)
    for _ in range(int(rng.integers(0, 7))):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        rx, ry = rng.uniform(0.03, 0.35, 2) * min(height, width)
        inside = ((x - cx) / max(rx, 1)) ** 2 + ((y - cy) / max(ry, 1)) ** 2 < 1
        skin = np.array([220, 170, 140]) * rng.uniform(0.3, 1.1) + rng.normal(0, 8, 3)
        colour = skin if rng.random() < 0.5 else rng.uniform(0, 255, 3)
        image = torch.where(inside, torch.from_numpy(colour.astype(np.float32))[:, None, None], image)
    return image.clamp(0, 255)
