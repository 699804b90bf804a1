"""Which tracklets of a shot are one person: the assignment that is the likeliest for all of them together.

Each tracklet's end may be continued by one tracklet's start. What a continuation costs grows with the distance from
where the face was bound to be, with the change of its size and of its look; leaving an end open has a price too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .appearance import difference
from .tracklets import SPEED_FRAMES, Tracklet, centre, side_of, speed


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """How far apart two sightings of one person may be. Raises ValueError for values that make no sense."""

    longest: int = 50
    """For so many frames somebody may be out of sight and still be known."""
    reach: float = 0.4
    """How far, in sides of the face, it may be from where it is expected after no time."""
    wander: float = 0.12
    """How much is added to `reach` for each frame out of sight."""
    farthest: float = 2.5
    """The most that `reach` becomes by it."""
    resize: float = 0.35
    """The usual change of the logarithm of its size."""
    look: float = 0.07
    """The usual change of its look, as `appearance.difference` measures it."""
    stranger: float = 0.12
    """The change of the look from which on it is somebody else."""
    turn: int = 8
    """For so many frames a face at the same position is the same one, nobody else being near, also if it looks
    different.
    """
    turned: float = 2.0
    """By this factor the look may differ more then: heads turn."""
    open_end: float = 4.0
    """The cost of taking two tracklets for two persons; each of the three changes costs 1 at its usual limit."""

    def __post_init__(self) -> None:
        limits = (self.reach, self.farthest, self.resize, self.look, self.open_end)
        if min(self.longest, self.turn, self.wander) < 0 or min(limits) <= 0:
            raise ValueError(f"{self}: frames and wander are not negative, limits are positive")
        if self.stranger < self.look or self.turned < 1:
            raise ValueError(f"{self}: needed stranger >= look and turned >= 1")


def chains(tracklets: Sequence[Tracklet], config: LinkConfig) -> list[list[Tracklet]]:
    """Return the tracklets of one shot, those of one person together and in order."""
    ends = sorted(tracklets, key=lambda tracklet: tracklet.start)
    following = _assign([[cost(end, start, config) for start in ends] for end in ends], config.open_end)
    continued = set(following.values())
    found = []
    for first in range(len(ends)):
        if first not in continued:
            chain, at = [ends[first]], first
            while (at := following.get(at, -1)) >= 0:
                chain.append(ends[at])
            found.append(chain)
    return found


def cost(end: Tracklet, start: Tracklet, config: LinkConfig) -> float:
    """Return the cost of taking `start` for the continuation of `end`; it is infinite where it cannot be."""
    frames = start.start - end.stop + 1
    if not 1 <= frames <= config.longest + 1:
        return math.inf
    undisturbed = end.alone_at_end and start.alone and frames <= config.turn
    look = difference(end.appearance, start.appearance) / (config.turned if undisturbed else 1)
    sides = side_of(end.boxes[-1]), side_of(start.boxes[0])
    resize = abs(math.log(sides[1] / sides[0]))
    reach = min(config.reach + config.wander * frames, config.farthest)
    away = _distance(end, start, frames) / (0.5 * sum(sides))
    if look > config.stranger or resize > 2 * config.resize or away > 2 * reach:
        return math.inf
    return (away / reach) ** 2 + (resize / config.resize) ** 2 + (look / config.look) ** 2


def _distance(end: Tracklet, start: Tracklet, frames: int) -> float:
    """Return the distance between where one goes and where the other comes from, in pixels.

    It is the smaller of those for a face that goes on and for one that stands still.
    """
    gap = centre(start.boxes[0]) - centre(end.boxes[-1])
    motion = (speed(end.boxes[-SPEED_FRAMES:]) + speed(start.boxes[:SPEED_FRAMES])) / 2
    reach = min(frames, 2 * SPEED_FRAMES)  # nobody goes on at one speed for long
    return min(float((gap - motion * reach).norm()), 1.5 * float(gap.norm()))


def _assign(costs: list[list[float]], open_end: float) -> dict[int, int]:
    """Return for each end its continuation, where there is one.

    The sum of the costs, those of open ends included, is the least that there is (the Hungarian method).
    """
    if all(cost >= open_end for row in costs for cost in row):
        return {}
    from scipy.optimize import linear_sum_assignment  # takes half a second to import

    count = len(costs)
    table = np.full((count, 2 * count), open_end)  # to the right: each end's own way to stay open
    table[:, :count] = np.minimum(np.asarray(costs), 1e6)
    rows, columns = linear_sum_assignment(table)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {row: column for row, column in pairs if column < count and costs[row][column] < open_end}
