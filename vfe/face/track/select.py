"""Which faces of a clip are meant: all, the largest, some by their numbers, or those nearest to a point."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch

from ...types import Remedy, VFEError
from .tracks import FaceTrack, FaceTracks

Rule = Literal["all", "largest", "numbers", "nearest"]
SELECTION_SYNTAX = 'needed is "all", "largest", numbers as "2,5", or a point as "nearest 320,200"'


@dataclass(frozen=True, kw_only=True)
class FaceSelection:
    """A choice of faces. Raises VFEError for a size below 0."""

    rule: Rule = "all"
    numbers: tuple[int, ...] = ()
    """With the rule "numbers": the numbers of the faces, as `vfe faces` shows them."""
    point: tuple[float, float] = (0.0, 0.0)
    """With the rule "nearest": x and y in pixels of the frame."""
    min_size: float = 0.0
    """Faces whose median box has a smaller side, in pixels, are left out, also when their number is given."""

    def __post_init__(self) -> None:
        if not self.min_size >= 0:
            raise VFEError(f"faces of at least {self.min_size} pixels: needed is a number from 0 on")

    @classmethod
    def parse(cls, text: str, min_size: float = 0.0) -> FaceSelection:
        """Read a choice from "all", "largest", "2,5" or "nearest 320,200". Raises VFEError for anything else."""
        words = text.strip().lower()
        if words in ("all", "largest"):
            return cls(rule="all" if words == "all" else "largest", min_size=min_size)
        if re.fullmatch(r"\d{1,6}(\s*[,; ]\s*\d{1,6})*", words):
            numbers = tuple(sorted({int(number) for number in re.findall(r"\d+", words)}))
            if 0 in numbers:
                fact = f'faces "{text}": faces are counted from 1 on'
                raise VFEError(fact, Remedy.SEE_FACES, "`vfe faces` shows their numbers")
            return cls(rule="numbers", numbers=numbers, min_size=min_size)
        if point := re.fullmatch(r"nearest\s+(-?\d+(?:\.\d+)?)\s*[, ]\s*(-?\d+(?:\.\d+)?)", words):
            return cls(rule="nearest", point=(float(point[1]), float(point[2])), min_size=min_size)
        raise VFEError(f'faces "{text}": {SELECTION_SYNTAX}')

    def of(self, tracks: FaceTracks) -> FaceTracks:
        """Return the chosen faces, which keep their numbers. Raises VFEError for numbers that are not there.

        "largest" and "nearest" choose one face in each shot that has any: by the median of its size, and by how near
        its middle comes to the point.
        """
        chosen = tracks.keep(self.numbers) if self.rule == "numbers" else tracks
        large = tuple(track for track in chosen.tracks if track.side >= self.min_size)
        if self.rule == "largest":
            large = _one_a_shot(large, tracks.shots, lambda track: -track.side)
        elif self.rule == "nearest":
            large = _one_a_shot(large, tracks.shots, self._distance)
        return replace(chosen, tracks=large)

    def _distance(self, track: FaceTrack) -> float:
        middles = (track.boxes[:, :2] + track.boxes[:, 2:]) / 2
        return float((middles - torch.tensor(self.point)).norm(dim=-1).min())


def _one_a_shot(
    tracks: tuple[FaceTrack, ...], shots: tuple[tuple[int, int], ...], rank: Callable[[FaceTrack], float]
) -> tuple[FaceTrack, ...]:
    """Return the first by `rank` of the tracks of each shot; of equals it is the one with the smaller number."""
    chosen = []
    for first, stop in shots:
        there = [track for track in tracks if first <= track.start < stop]
        if there:
            chosen.append(min(there, key=lambda track: (rank(track), track.number)))
    return tuple(chosen)
