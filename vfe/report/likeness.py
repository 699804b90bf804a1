"""How much a restoration changed a face: the distance between a net's looks at it before and after.

The net is facexlib's face recognition where it is installed, works and has its weights, else the face net of this
package.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from torch import Tensor

from .face_net import FaceNetLikeness
from .facexlib import FacexlibLikeness, find_weights
from .likeness_scale import LikenessScale


class Likeness(Protocol):
    """The distance between two looks at a face: 1 - cos of two embeddings, 0 for the same picture."""

    scale: LikenessScale

    def distance(self, before: Tensor, after: Tensor) -> float:
        """Return the distance of two aligned crops (3, S, S) in [-1, 1]."""


def load_likeness() -> Likeness:
    """Load the net. Raises VFEError where facexlib's weights are there and damaged."""
    weights = find_weights()
    if weights is not None:
        with suppress(ImportError):
            return FacexlibLikeness.load(weights)
    return FaceNetLikeness.load()
