"""What restoring a crop has changed around the face, steadied: averaged along its motion with the frames before and
after.

Crops are aligned by the face, so that hair at its edge and what is behind it move under the grid of the model, and what
the model makes of them flickers. Eyes, nose and mouth stay as sharp as they are. As the change alone is averaged, what
was clean stays as it was. Our own choice, in neither paper.

S crop side, C channels. Crops are (3, S, S) in [-1, 1].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...luma import LUMA
from .optical_flow import box_mean, enlarged, flow, moved

REACH = 3
"""Frames before and after one that it is averaged with."""
TOLERANCE = 10.0
"""Levels of 255 by which a neighbour may differ; one that differs by more counts for little."""
CENTRE, RADII = (0.5, 0.58), (0.18, 0.22)  # xy, of the crop's side: the template's eyes, nose and mouth
FADE = 0.4  # of the radii: over this part of the ellipse they fade into what is around them


@dataclass
class _Crop:
    """A restored crop, and its motion to the crops beside it, where these have come: flows (1, 2, S / 2, S / 2).

    Lumas are in levels of 255.
    """

    pixels: Tensor
    luma: Tensor  # (1, 1, S / 2, S / 2), by which it is compared with others
    change: Tensor  # (1, 1, S, S) what restoring added to its luma
    before: Tensor | None = None
    after: Tensor | None = None


class SteadyAround:
    """Takes the restored crops of one face in their order, and gives as many, `REACH` crops later."""

    def __init__(self) -> None:
        self._crops: deque[_Crop] = deque()  # up to 2 REACH + 1
        self._next = 0  # the index among them of the one that comes out next
        self._around: Tensor | None = None  # (S, S) how much of each pixel is steadied

    def push(self, before: Tensor, restored: Tensor) -> list[Tensor]:
        """Take a crop as it was before and as it was restored to, and return those that are ready by then."""
        if self._around is None:
            self._around = (1 - _features(restored.shape[-1])).to(restored)
        luma = _luma(restored)
        crop = _Crop(restored, F.avg_pool2d(luma, 2), luma - _luma(before))
        if self._crops:
            _find_motion(self._crops[-1], crop)
        self._crops.append(crop)
        return [self._steadied()] if len(self._crops) - self._next > REACH else []

    def finish(self) -> list[Tensor]:
        """Return the rest, when no crop follows."""
        return [self._steadied() for _ in range(len(self._crops) - self._next)]

    def _steadied(self) -> Tensor:
        assert self._around is not None
        crops, at = list(self._crops), self._next
        averaged = _average(crops[at::-1], crops[at:])
        if at == REACH:
            self._crops.popleft()
        else:
            self._next += 1
        return crops[at].pixels + (averaged - crops[at].change)[0] * (self._around / 127.5)


def _luma(pixels: Tensor) -> Tensor:
    """Return the luma (1, 1, S, S) of a crop, in levels of 255."""
    return (pixels * pixels.new_tensor(LUMA).view(3, 1, 1)).sum(0)[None, None] * 127.5 + 127.5


def _find_motion(before: _Crop, after: _Crop) -> None:
    """Note the motion between two crops."""
    pair = torch.cat([before.luma, after.luma])
    both = flow(pair, pair.flip(0))
    before.after, after.before = both[:1], both[1:]


def _average(before: Sequence[_Crop], after: Sequence[_Crop]) -> Tensor:
    """Return the change (1, 1, S, S) of the first crop of both sequences, averaged with that of the others, which lead
    away from it.
    """
    own, others = before[0], [*before[1 : REACH + 1], *after[1 : REACH + 1]]
    if not others:
        return own.change
    # All at once, as the kernel shares out pictures among the cores.
    ways = torch.cat([*_ways([crop.before for crop in before]), *_ways([crop.after for crop in after])])
    alike = _alikeness(own.luma, moved(torch.cat([crop.luma for crop in others]), ways))
    sides = own.change.shape[-2:]
    changes = moved(torch.cat([crop.change for crop in others]), enlarged(ways, sides), "bicubic")
    shares = F.interpolate(alike, size=sides, mode="bilinear", align_corners=False)
    return (own.change + (changes * shares).sum(0)) / (1 + shares.sum(0))


def _ways(steps: Sequence[Tensor | None]) -> list[Tensor]:
    """Return the flows from the first crop of a sequence to the others, of the motion from each one to the next."""
    ways: list[Tensor] = []
    for step in steps[:REACH]:
        if step is not None:
            ways.append(ways[-1] + moved(step, ways[-1]) if ways else step)
    return ways


def _alikeness(own: Tensor, seen: Tensor) -> Tensor:
    """Return how much each pixel of neighbours (N, 1, h, w) that are seen along their motion counts, 0 to 1."""
    return torch.exp(-((box_mean((seen - own).abs(), 1) / TOLERANCE) ** 2))


def _features(side: int) -> Tensor:
    """Return how much of each pixel of a crop is of eyes, nose and mouth: (S, S), 1 within and 0 around them."""
    at = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    (x, y), (width, height) = CENTRE, RADII
    distance = (((at[None] - x) / width) ** 2 + ((at[:, None] - y) / height) ** 2).sqrt()
    inside = ((1 - distance) / FADE).clamp(0, 1)
    return inside * inside * (3 - 2 * inside)
