"""Heads turned to the side: a portrait as it would be seen from another angle, by a plain model of the head's depth.

The idea is face profiling (Zhu et al. 2016, "Face alignment across large poses"), which turns photographs by a fitted
3D model. Here, by our own choice, one model does for all: an oval head with a nose, turned about the vertical axis.
What a portrait does not show, the side of the head behind the ear, is filled with what lies beside the head.

Lengths are in distances from the eyes to the mouth, x to the image's right, y down from the eyes, z towards the viewer.
Angles of a head are positive where it looks to the image's right.

V rows, K points across the head, S positions in a row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfe.face.detect.detector import MASK_MARGINS
from vfe.face.detect.mirrored import MIRRORED_LANDMARKS
from vfe.face.detect.upright import roll_of

from .pictures import MASK_SIDE, KnownFace, Picture, outline_of, shrink_to
from .warp import invert, move

HEAD_HALF = (1.05, 1.3)
"""The half breadth and half the length of a head: 74 and 91 mm, where eyes and mouth are 70 mm apart."""
HEAD_TALL = 1.75
"""How far a head reaches from the eyes up to the crown, and down to below the chin."""
EYES_AHEAD = 1.17
"""How far the eyes are before the axis that the head turns about."""
JAW_NARROWING = 0.15
"""The part of its breadth by which a head narrows one length below the eyes."""
NOSE_DOWN, NOSE_AHEAD, NOSE_WIDE, NOSE_LONG = 0.62, 0.3, 0.17, 0.3
NOSE_TURN = 0.44
"""How far the nose's tip would move against eyes and mouth if the head turned by a quarter."""
UNSEEN_FROM = math.radians(85)
"""Angle from the middle of a face at which a portrait stops to show the head."""
BACKGROUND_SQUEEZE = 0.25
"""Share of its true breadth at which what lies beside the head is laid over the side of it that is unseen."""
POINTS_ACROSS = 160
FACE_HALF_ANGLE = math.radians(68)
"""Angle from the middle at which a face ends: what lies behind it is no part of its mask."""
MAX_TURNED_SIDE = 192
"""Most pixels of a turned picture's side: finer ones would show how plain the model is."""
MAX_YAW = math.radians(80)


class Across(NamedTuple):
    """Points from the side of a head to its other side, x from its axis, before and after it is turned."""

    before: Tensor  # (V, K)
    after: Tensor  # (V, K)
    angles: Tensor  # (K,) from the middle of the face


class Plane(NamedTuple):
    """The upright plane in which a head is turned."""

    to_picture: np.ndarray  # (2, 3)
    side: int  # pixels
    unit: float  # pixels from the eyes to the mouth
    axis: tuple[float, float]  # position of the axis, at the height of the eyes


def yaw_of(landmarks: np.ndarray) -> float:
    """Radians by which a face (5, 2) is turned, roughly: from how far its nose is off the middle of eyes and mouth."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down = mouth - eyes
    tall = float(np.linalg.norm(down))
    off = float((landmarks[2] - (eyes + mouth) / 2) @ np.array([down[1], -down[0]])) / max(tall, 1e-3) ** 2
    return math.asin(min(max(off / NOSE_TURN, -1.0), 1.0))


def turned(picture: Picture, yaw: float) -> Picture:
    """The portrait upright, its head turned to `yaw` radians (0 to 80 degrees) on the side that it looks to already:
    of the other side too little is seen. A head that looks further than `yaw` stays where it looks.

    Raises ValueError for other angles: the model knows nothing of the back of a head.
    """
    if not 0 <= yaw <= MAX_YAW:
        raise ValueError(f"yaw={yaw}, needed is an angle in radians from 0 to {MAX_YAW:.2f}")
    landmarks = picture.faces[0].landmarks
    assert landmarks is not None
    if yaw_of(landmarks) < 0:
        return mirrored(_turned(mirrored(picture), yaw))
    return _turned(picture, yaw)


def _turned(picture: Picture, yaw: float) -> Picture:
    """`turned` for a head that looks to the image's right."""
    landmarks = picture.faces[0].landmarks
    assert landmarks is not None and picture.mask is not None
    own = yaw_of(landmarks)
    yaw = max(yaw, own)
    level = next((x for x in picture.levels if min(x.shape[1:]) <= MAX_TURNED_SIDE), picture.levels[-1])
    plane = upright_plane(picture, landmarks, own, min(min(level.shape[1:]), MAX_TURNED_SIDE))
    shift = 0.6 * EYES_AHEAD * (math.sin(yaw) - math.sin(own))  # so that the face stays near the middle
    at = torch.arange(plane.side) + 0.5
    head = across_head((at - plane.axis[1]) / plane.unit, own, yaw)
    x = ((at - plane.axis[0]) / plane.unit + shift).expand(plane.side, -1)
    source = look_up(head.after, head.before, x) * plane.unit + plane.axis[0]
    positions = torch.stack([source, at[:, None].expand_as(source)], dim=-1).numpy()
    grid = torch.from_numpy(move(positions, plane.to_picture)) / torch.tensor([picture.width, picture.height]) * 2 - 1
    image = F.grid_sample(level[None].float(), grid[None], padding_mode="reflection", align_corners=False)[0]
    shown = F.grid_sample(picture.mask[None, None].float(), grid[None], align_corners=False)
    behind = max(FACE_HALF_ANGLE, math.pi - 4 * (yaw - own))  # a head that is hardly turned keeps its mask
    shown = shown * (look_up(head.after, head.angles.expand_as(head.after), x) > -behind)
    mask = (F.interpolate(shown, size=[MASK_SIDE, MASK_SIDE], mode="area")[0, 0] > 0.5).byte()
    points = torch.from_numpy(move(landmarks, invert(plane.to_picture)))
    rows = across_head((points[:, 1] - plane.axis[1]) / plane.unit, own, yaw)
    moved = look_up(rows.before, rows.after, (points[:, :1] - plane.axis[0]) / plane.unit) - shift
    return labelled(image, mask, torch.cat([moved * plane.unit + plane.axis[0], points[:, 1:]], dim=1).numpy())


def upright_plane(picture: Picture, landmarks: np.ndarray, yaw: float, side: int) -> Plane:
    """The plane of a portrait whose head looks `yaw` radians to the side, with the picture's middle in its own."""
    roll = float(roll_of(torch.from_numpy(landmarks)))
    scale = min(picture.width, picture.height) / side
    cos, sin = math.cos(roll) * scale, math.sin(roll) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([picture.width / 2, picture.height / 2])
    to_picture = np.concatenate([linear, (middle - linear @ np.array([side / 2, side / 2]))[:, None]], axis=1)
    points = move(landmarks, invert(to_picture))
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    unit = max(float(mouth[1] - eyes[1]), 1.0)
    return Plane(to_picture, side, unit, (float(eyes[0]) - EYES_AHEAD * math.sin(yaw) * unit, float(eyes[1])))


def across_head(y: Tensor, first: float, second: float) -> Across:
    """For rows at heights `y` (V,): where the head is when it looks to `first` and when it looks to `second` (radians).

    What is on no portrait lies, in the first view, beside the head.
    """
    angles = torch.linspace(-math.pi / 2 - second, math.pi / 2, POINTS_ACROSS)
    tall = (1 - (y.abs() / HEAD_TALL).clamp(max=1) ** 6).sqrt()[:, None]
    wide = tall * HEAD_HALF[0] * (1 - JAW_NARROWING * y.clamp(0, 1.3)[:, None] ** 2)
    unseen = (-UNSEEN_FROM - first - angles).clamp(min=0)

    def positions(angle: Tensor, yaw: float) -> Tensor:
        x, z = wide * angle.sin(), HEAD_HALF[1] * tall * angle.cos()
        bump = (x / NOSE_WIDE) ** 2 + ((y[:, None] - NOSE_DOWN) / NOSE_LONG) ** 2
        return x * math.cos(yaw) + (z + NOSE_AHEAD * (-bump / 2).exp() * (angle.cos() > 0)) * math.sin(yaw)

    before = positions(angles + unseen, first) - BACKGROUND_SQUEEZE * HEAD_HALF[0] * tall * unseen
    return Across(before, positions(angles, second), angles)


def look_up(keys: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Values (V, K) where keys (V, K) reach `at` (V, S), linearly between them: (V, S). Of keys that fall back, as
    what is behind a nose, none counts; beyond the first and the last, values go on as the positions do."""
    rising = keys.cummax(dim=1).values + torch.arange(keys.shape[1]) * 1e-5
    after = torch.searchsorted(rising, at.contiguous()).clamp(1, keys.shape[1] - 1)
    low, high = rising.gather(1, after - 1), rising.gather(1, after)
    share = ((at - low) / (high - low)).clamp(0, 1)
    inside = values.gather(1, after - 1).lerp(values.gather(1, after), share)
    return inside + (at - rising[:, :1]).clamp(max=0) + (at - rising[:, -1:]).clamp(min=0)


def labelled(image: Tensor, mask: Tensor, landmarks: np.ndarray) -> Picture:
    """A portrait (3, S, S) of a face whose box is that of its mask (96, 96), less the margin that masks have."""
    side = image.shape[-1]
    outline = outline_of(mask.numpy()) * np.float32(side / MASK_SIDE)
    low, high = outline.min(axis=0), outline.max(axis=0)
    left, top, right, bottom = MASK_MARGINS
    size = (high - low) / np.array([1 + left + right, 1 + top + bottom])
    box = np.concatenate([low + size * [left, top], high - size * [right, bottom]]).astype(np.float32)
    face = KnownFace(box=box, landmarks=landmarks.astype(np.float32), outline=shrink_to(outline, box))
    half = F.avg_pool2d(image[None], 2)[0]
    levels = (image, half, F.avg_pool2d(half[None], 2)[0])
    return Picture(levels=tuple(level.round().byte() for level in levels), faces=(face,), mask=mask)


def mirrored(picture: Picture) -> Picture:
    """A portrait with left and right exchanged, and its labels."""
    face = picture.faces[0]
    assert face.landmarks is not None and face.outline is not None and picture.mask is not None
    flip = np.array([[-1.0, 0, picture.width], [0, 1, 0]])
    box = move(face.box.reshape(2, 2), flip)[::-1, 0]
    known = KnownFace(
        box=np.array([box[0], face.box[1], box[1], face.box[3]], np.float32),
        landmarks=move(face.landmarks, flip)[MIRRORED_LANDMARKS],
        outline=move(face.outline, flip),
    )
    return Picture(levels=tuple(x.flip(-1) for x in picture.levels), faces=(known,), mask=picture.mask.flip(-1))
