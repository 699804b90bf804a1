"""Average keypoint distance (Siarohin et al. 2019) on five landmarks of the bundled face net.

Their code (pose-evaluation) takes the mean absolute difference over points and coordinates; with the 68 points of
face-alignment, which are downloaded. Ours are five, so that the name says so, and no figure of a paper is comparable.
The division by the frame's longer side is inferred from the papers' values, VividFace's times 1000.
"""

from __future__ import annotations

from ..metric import Figure, OfFrames
from ..moment import Moment


class Akd5(OfFrames):
    """1000 times the mean over frames, points and coordinates of |landmark - the reference's| over the longer side."""

    figure = Figure("akd5", "lower", net="the bundled face net")
    why = "no face was found in it or in the reference"

    def value(self, moment: Moment) -> float | None:
        """Return the distance on a frame; None where either face is missing."""
        seen, truth = moment.face, moment.truth.face
        if seen is None or truth is None:
            return None
        return float(1e3 * (seen.landmarks - truth.landmarks).abs().mean() / moment.shown.longer_side)
