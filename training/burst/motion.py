"""Clips of aligned faces: from a portrait by motion that faces have, from a clip as it is; and how both are varied.

B batch, T frames, S side; clips are (B, T, 3, S, S) in levels of 255, points xy in sides of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vfe.face.paste.align import template

from .damage.camera import sample
from .dice import Dice, append_axes
from .motion_paths import random_bump, random_path
from .packed import PackedAlbum

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """How clean clips are made: how many frames, from which sources, and how they are varied."""

    frames: int = 5
    video_share: float = 0.3
    """The share of real clips; the others are portraits in motion."""
    still_share: float = 0.25
    """The share of portraits that do not move at all, and are not resampled."""
    jitter: float = 0.5
    """The size of errors of alignment, where 1 is the usual: 6 pixels of 256, 4 degrees and 6 percent at most."""
    grey_share: float = 0.06

    def __post_init__(self) -> None:
        shares = (self.video_share, self.still_share, self.grey_share)
        if self.frames < 1 or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"frames={self.frames} and shares {shares}: needed from 1, and from 0 to 1")


class ClipMaker:
    """Draws batches of clean clips from an album.

    Raises ValueError where the album has neither a portrait nor a clip of so many frames.
    """

    def __init__(self, album: PackedAlbum, config: ClipConfig, *, held_out: bool = False) -> None:
        self.album, self.config = album, config
        spans = album.held_out if held_out else album.trained
        self._portraits = spans[spans[:, 1] == 1]
        self._videos = spans[spans[:, 1] >= config.frames]
        if not len(self._portraits) and not len(self._videos):
            raise ValueError(f"the album has no portrait and no clip of {config.frames} frames to draw from")

    @torch.no_grad()
    def __call__(self, dice: Dice) -> Tensor:
        """One clean clip for each of the dice: (B, T, 3, S, S) float32 in levels of 255."""
        frames = self.config.frames
        moving, index = self._choose(dice)
        video = self.album.pictures[index.to(self.album.pictures.device)].float()
        still = ~moving & dice.chance(self.config.still_share).cpu()
        warped = self._warp(video, moving.to(dice.device), dice)
        video = torch.where(append_axes(still.to(dice.device), 5), video, warped)
        return vary(video, frames, self.config.grey_share, dice)

    def _choose(self, dice: Dice) -> tuple[Tensor, Tensor]:
        """Whether each clip is a real one (B,), and its pictures (B, T), on the CPU."""
        frames = self.config.frames
        time = torch.arange(frames)
        moving = dice.chance(self.config.video_share).cpu()
        if not len(self._videos) or not len(self._portraits):
            moving = torch.full_like(moving, bool(len(self._videos)))
        first = torch.zeros(dice.count, dtype=torch.int64)
        if len(self._portraits):
            first = self._portraits[dice.below(torch.full((dice.count,), len(self._portraits))), 0]
        index = first[:, None].expand(-1, frames)
        if not len(self._videos):
            return moving, index
        span = self._videos[dice.below(torch.full((dice.count,), len(self._videos)))]
        start = span[:, 0] + dice.below(span[:, 1] - frames + 1)
        direction = torch.where(dice.chance(0.5).cpu(), 1, -1)  # a face may also move the other way round in time
        order = torch.where(direction[:, None] > 0, time, frames - 1 - time)
        return moving, torch.where(moving[:, None], start[:, None] + order, index)

    def _warp(self, video: Tensor, moving: Tensor, dice: Dice) -> Tensor:
        """The clips (B, T, 3, S, S) with errors of alignment, and portraits also with camera shake and expressions."""
        batch, frames, _, side, _ = video.shape
        at = (torch.arange(side, device=video.device) + 0.5) / side
        points = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).expand(batch, frames, -1, -1, -1)
        portrait = append_axes((~moving).float(), 5)
        points = points + portrait * expression(points, frames, dice)
        own, jitter = (~moving).float()[:, None], self.config.jitter
        angle = jitter * dice.uniform(-0.07, 0.07)[:, None] + own * random_path(dice, frames, 0.0, 0.0008, 0.006)
        zoom = 1 + jitter * dice.uniform(-0.06, 0.06)[:, None] + own * random_path(dice, frames, 0.0, 0.0005, 0.004)
        shift = jitter * dice.uniform(-6 / 256, 6 / 256, 1, 2) + own[..., None] * random_path(
            dice, frames, 0.0, 0.0004, 0.003, width=2
        )
        x, y = (points - 0.5).unbind(-1)
        cos, sin = (append_axes(value(angle) * zoom, 4) for value in (torch.cos, torch.sin))
        moved = torch.stack([cos * x - sin * y, sin * x + cos * y], -1) + shift[:, :, None, None]
        return sample(video, moved * side, "bicubic", "reflection").clamp_(0, 255)


def expression(points: Tensor, frames: int, dice: Dice) -> Tensor:
    """Where a moving face's pixels come from, less where they are: (B, T, h, w, 2), from Gaussian bumps at landmarks.

    The mouth opens and smiles, the brows rise, both eyes blink, the head nods and turns a little.
    """
    marks = template().float().to(points.device)
    mouth = (marks[LEFT_MOUTH] + marks[RIGHT_MOUTH]) / 2
    amount = random_path(dice, frames, 0.0, 0.002, 1.0, width=6)
    opened, smile, brows, nod, turn, _ = amount.unbind(-1)
    blink = random_bump(dice, frames, 0.3)
    moves = torch.zeros_like(points)

    def add(centre: Tensor, radius: tuple[float, float], dx: Tensor | float, dy: Tensor | float) -> None:
        away = (points - centre) / points.new_tensor(radius)
        weight = torch.exp(-0.5 * away.square().sum(-1))
        for axis, by in enumerate((dx, dy)):
            moves[..., axis] += weight * (append_axes(by, 4) if isinstance(by, Tensor) else by)

    add(mouth + points.new_tensor([0.0, 0.09]), (0.11, 0.07), 0.0, -0.022 * opened)
    add(marks[LEFT_MOUTH], (0.06, 0.05), 0.012 * smile, 0.010 * smile)
    add(marks[RIGHT_MOUTH], (0.06, 0.05), -0.012 * smile, 0.010 * smile)
    add(marks[NOSE], (0.18, 0.22), 0.010 * turn, 0.008 * nod)
    for eye in (marks[LEFT_EYE], marks[RIGHT_EYE]):
        add(eye - points.new_tensor([0.0, 0.075]), (0.09, 0.04), 0.0, 0.012 * brows)
        lid = (points[..., 1] - eye[1]) * torch.exp(
            -0.5 * ((points - eye) / points.new_tensor([0.055, 0.028])).square().sum(-1)
        )
        moves[..., 1] += lid * append_axes(blink, 4) * 1.5
    return moves


def vary(video: Tensor, frames: int, grey_share: float, dice: Dice) -> Tensor:
    """Mirrored, in other light and colour, grey for a few: the same for the clean and the damaged clip."""
    video = torch.where(append_axes(dice.chance(0.5), 5), video.flip(-1), video)
    unit = (video / 255).clamp(0, 1)
    changed = dice.chance(0.5).float()
    gamma = torch.exp(append_axes(changed * dice.normal() * 0.18, 5))
    gain = torch.exp(changed[:, None] * (dice.normal(1) * 0.08 + dice.normal(3) * 0.05)).clamp(0.7, 1.2)
    flicker = 1 + random_path(dice, frames, 0.0, 0.002, 0.02) * changed[:, None]
    unit = unit**gamma * gain[:, None, :, None, None] * append_axes(flicker, 5)
    grey = unit.mean(2, keepdim=True).expand_as(unit)
    unit = torch.where(append_axes(dice.chance(grey_share), 5), grey, unit)
    return (unit * 255).clamp(0, 255).round()
