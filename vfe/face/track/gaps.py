"""From the tracklets of one person to a track: gaps filled, and how much of a restored face is to be shown.

n frames of the track.
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
    """In frames. Raises ValueError for negative ones."""

    short: int = 8
    """Out of sight for so long, a face is shown as if it had been seen: a look away, a hand before the face."""
    fade: int = 5
    """A face comes and goes over so many frames, inside a shot."""

    def __post_init__(self) -> None:
        if self.short < 0 or self.fade < 0:
            raise ValueError(f"{self}: frames are not negative")


def join(chain: Sequence[Tracklet], shot: tuple[int, int], config: GapConfig) -> FaceTrack:
    """One track, with number 1, of tracklets in order, in a shot of frames [first, stop)."""
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
    """Values (k, ...) of the k frames of `seen` (n,), whose ends are seen: (n, ...), on straight lines in gaps."""
    last, following = _neighbours(seen)
    here, places = torch.arange(len(seen)), seen.nonzero()[:, 0]
    share = (here - places[last]) / (places[following] - places[last]).clamp(min=1)
    share = share.reshape(-1, *[1] * (values.dim() - 1))
    return values[last] * (1 - share) + values[following] * share


def presence(seen: Tensor, inside: tuple[bool, bool], config: GapConfig) -> Tensor:
    """(n,) 0 to 1. `inside`: whether the track begins, and ends, while the shot goes on."""
    last, following = _neighbours(seen)
    here, places = torch.arange(len(seen)), seen.nonzero()[:, 0]
    since, until = here - places[last], places[following] - here  # frames from where it was seen, and will be
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
    """For each frame which sighting, counted from 0, is the last one up to it, and which the first one from it on."""
    last = seen.long().cumsum(0) - 1
    return last, last + (~seen).long()
