"""Clips to distil on: degraded pairs, among them footage that has no clean twin, and milder twins of the degraded.

A clip is a pure function of the seed, the batch's number and the slot, as in training/data/clips.py.

T frames, H W sides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.clips import FaceClips, Segment, SegmentClips, face_window, flipped
from .real_clips import RealClip, RealConfig, list_real, read_stretch


class Stretch(NamedTuple):
    """A stretch of a pair, or of footage without a clean twin, whose `clean` and `mask` are then zeros."""

    pair: Segment
    paired: bool
    milder: Tensor | None
    """The same stretch by the same draw of the degradation, at the milder severity; (T, H, W, 3) uint8."""


class Severities(NamedTuple):
    """At what shares of a drawn degradation the two twins of a clip are made; 0 is the clean clip itself."""

    milder: float
    harder: float = 1.0


class DistillClips(SegmentClips[Stretch]):
    """Endless batches of uint8 (degraded, clean), bool mask and `paired`, and with `severities` the uint8 milder twin.

    Without real footage and without `severities`, the first three are those of `pairs` to the last bit.
    """

    def __init__(self, pairs: FaceClips, real: RealConfig | None = None, severities: Severities | None = None) -> None:
        """`pairs` says the data, the seed and the slots. Raises ValueError and VFEError as `list_real` does."""
        super().__init__(pairs.config, pairs.seed, pairs.start, pairs.slots)
        self.pairs, self.severities = pairs, severities
        self.share = real.share if real else 0.0
        self.real: list[RealClip] = list_real(real, pairs.config) if real and real.share else []

    def segment(self, rng: np.random.Generator) -> Stretch:
        if self.real and rng.random() < self.share:
            degraded = read_stretch(self.real[int(rng.integers(len(self.real)))], self.config, rng)
            nothing, mask = torch.zeros_like(degraded), torch.zeros(degraded.shape[:3], dtype=torch.bool)
            return Stretch(Segment(nothing, mask, degraded), False, degraded if self.severities else None)
        if self.severities is None:
            return Stretch(self.pairs.segment(rng), True, None)
        return self._twins(self.severities, rng)

    def crop(self, segment: Stretch, rng: np.random.Generator) -> tuple[Tensor, ...]:
        pair = segment.pair
        window = face_window(pair.mask, self.config, rng)
        videos = (pair.degraded, pair.clean, pair.mask, *(() if segment.milder is None else (segment.milder,)))
        degraded, clean, mask, *milder = flipped(tuple(video[window] for video in videos), rng)
        return degraded, clean, mask, torch.tensor(segment.paired), *milder

    def _twins(self, severities: Severities, rng: np.random.Generator) -> Stretch:
        """One stretch and one draw at two severities, whose noise begins at one seed."""
        clean, mask = self.pairs.clean_segment(rng)
        if self.pairs.degradation is None:
            return Stretch(Segment(clean, mask, clean), True, clean)
        how, seed = self.pairs.degradation.draw(rng), int(rng.integers(2**63))
        target = how.target(clean)
        milder, harder = (
            how.milder(severity).apply(clean, np.random.default_rng(seed)) if severity else target
            for severity in severities
        )
        return Stretch(Segment(target, mask, harder), True, milder)
