"""From the tracklets of one person to a track: gaps are filled, and it is decided how much of a restored face is shown.

n frames of the track, k of them on which the face was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .tracklets import Tracklet
from .tracks import FaceTrack


@dataclass(frozen=True, kw_only=True)
class GapConfig:
    """How long gaps are treated, in frames. Raises ValueError for negative numbers."""

    short: int = 8
    """A face out of sight for so long is shown as if it had been seen: a look away, a hand before the face."""
    fade: int = 5
    """Inside of a shot, a face comes and goes over so many frames."""

    def __post_init__(self) -> None:
        if self.short < 0 or self.fade < 0:
            raise ValueError(f"{self}: frames are not negative")


def join(chain: Sequence[Tracklet], shot: tuple[int, int], config: GapConfig) -> FaceTrack:
    """Return one track, with number 1, of the tracklets of a person in order, in a shot of frames [first, stop)."""
    start, stop = chain[0].start, chain[-1].stop
    at = torch.cat([torch.arange(part.start, part.stop) for part in chain]) - start
    seen = torch.zeros(stop - start, dtype=torch.bool)
    seen[at] = True
    scores = torch.zeros(stop - start)
    scores[at] = torch.tensor([score for part in chain for score in part.scores])
    masks = torch.stack([mask for part in chain for mask in part.masks])
    inside = (start > shot[0], stop < shot[1])
    return FaceTrack(
        number=1,
        start=start,
        boxes=between(torch.stack([box for part in chain for box in part.boxes]), seen),
        landmarks=between(torch.stack([points for part in chain for points in part.landmarks]), seen),
        scores=scores,
        seen=seen,
        presence=presence(seen, inside, config),
        masks=between(masks.float(), seen).round().byte(),
        matrices=between(torch.stack([matrix for part in chain for matrix in part.matrices]), seen),
    )


def between(values: Tensor, seen: Tensor) -> Tensor:
    """Return values for all frames (n, ...) from the values (k, ...) of those on which the face was seen.

    In gaps they go on straight lines. `seen` (n,) must be true at both ends.
    """
    last, following = _neighbours(seen)
    here, sightings = torch.arange(len(seen)), seen.nonzero()[:, 0]
    share = (here - sightings[last]) / (sightings[following] - sightings[last]).clamp(min=1)
    share = share.reshape(-1, *[1] * (values.dim() - 1))
    return values[last] * (1 - share) + values[following] * share


def presence(seen: Tensor, inside: tuple[bool, bool], config: GapConfig) -> Tensor:
    """Return how much of a restored face is shown on each frame: (n,) 0 to 1.

    `inside` says whether the track begins, and ends, while the shot goes on.
    """
    last, following = _neighbours(seen)
    here, sightings = torch.arange(len(seen)), seen.nonzero()[:, 0]
    since, until = here - sightings[last], sightings[following] - here  # frames from where it was seen, and will be
    long = since + until - 1 > config.short
    step = config.fade + 1
    shown = torch.ones(len(seen))
    shown[long] = (1 - torch.minimum(since, until)[long] / step).clamp(min=0)
    if inside[0]:
        shown = torch.minimum(shown, (here + 1) / step)
    if inside[1]:
        shown = torch.minimum(shown, (len(seen) - here) / step)
    return shown


def _neighbours(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each frame the number, from 0, of the last sighting up to it and of the first one from it on."""
    last = seen.long().cumsum(0) - 1
    return last, last + (~seen).long()
