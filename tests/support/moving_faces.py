"""Synthetic clips with faces that move over a photograph, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

HEIGHT, WIDTH = 144, 256
# The astronaut's face, as seen by eye: forehead to chin, and a head with hair and neck around it.
FACE = (180.0, 68.0, 271.0, 177.0)
HEAD = (150, 10, 300, 210)

TINTS = {"a": (1.0, 1.0, 1.0), "b": (0.55, 0.8, 1.0)}
"""Two people: the astronaut, and somebody of another colour, mirrored. "hood" is a head seen from behind."""


class Actor(NamedTuple):
    """Who it is, and the x and y of the middle of the face on each frame; None where there is no face to be seen."""

    who: str
    path: Callable[[int], tuple[float, float] | None]
    scale: float = 0.5

    def box(self, frame: int) -> Tensor | None:
        """(4,) where the face is."""
        place = self.path(frame)
        if place is None:
            return None
        half = torch.tensor([FACE[2] - FACE[0], FACE[3] - FACE[1]]) / 2 * self.scale
        return torch.cat([torch.tensor(place) - half, torch.tensor(place) + half])


def film(actors: Sequence[Actor], frames: range, ground: int = 0) -> list[Tensor]:
    """Frames (3, H, W) in [-1, 1]; later actors are in front of earlier ones."""
    shown = []
    for frame in frames:
        picture = backdrop(ground).clone()
        for actor in actors:
            place = actor.path(frame)
            if place is not None:
                picture = _put(picture, head(actor.who), place, actor.scale)
        shown.append(picture)
    return shown


@cache
def backdrop(ground: int) -> Tensor:
    """A picture in which no face is: (3, H, W). Even ones are alike and odd ones are."""
    photo = (skimage.data.coffee, skimage.data.rocket)[ground % 2]()
    picture = torch.from_numpy(photo.copy()).permute(2, 0, 1).float() / 127.5 - 1
    part = picture[:, : round(picture.shape[2] * HEIGHT / WIDTH)]
    return F.interpolate(part[None], (HEIGHT, WIDTH), mode="bilinear", antialias=True)[0].clamp(-1, 1)


@cache
def head(who: str) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """A head (3, h, w), how far it covers what is behind (1, h, w), and the middle of its face."""
    left, top, right, bottom = HEAD
    image = torch.from_numpy(skimage.data.astronaut()[top:bottom, left:right].copy()).permute(2, 0, 1).float() / 255
    middle = ((FACE[0] + FACE[2]) / 2 - left, (FACE[1] + FACE[3]) / 2 - top)
    image = image * torch.tensor(TINTS.get(who, (0.0, 0.0, 0.0)))[:, None, None] * 2 - 1
    y, x = torch.meshgrid(torch.arange(bottom - top), torch.arange(right - left), indexing="ij")
    inside = ((x - middle[0]) / 72) ** 2 + ((y - middle[1]) / 88) ** 2
    cover = ((1.1 - inside) / 0.2).clamp(0, 1)[None].float()
    if who == "b":
        image, cover, middle = image.flip(2), cover.flip(2), (right - left - middle[0], middle[1])
    return image, cover, middle


def _put(
    picture: Tensor,
    sprite: tuple[Tensor, Tensor, tuple[float, float]],
    place: tuple[float, float],
    scale: float,
) -> Tensor:
    """A head with the middle of its face at `place`, to a part of a pixel."""
    image, cover, middle = sprite
    small = F.interpolate(torch.cat([image, cover])[None], scale_factor=scale, mode="bilinear", antialias=True)
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    places = torch.stack([(x - place[0]) / scale + middle[0], (y - place[1]) / scale + middle[1]], -1)
    grid = places / torch.tensor([image.shape[2], image.shape[1]]) * 2 - 1
    seen = F.grid_sample(small, grid[None].float(), align_corners=False)[0]
    return picture * (1 - seen[3:]) + seen[:3] * seen[3:]
