"""Whether the face stays the same person: IDS to the reference, VIDD and face consistency within the clip.

IDS is the mean cosine of the embeddings of a frame and of the reference's. VIDD is read in VFRxBenchmark's code: the
mean over frames of the L2 distance of the embeddings, not normalised, of a frame and the next. FaceCons, which
VividFace reports, is defined nowhere; `face_consistency` is a reconstruction: the mean cosine of each frame's embedding
to the first one's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metric import Figure, OfFrames, ScoredClip
from ..moment import Moment
from .recognition import Looks


class _OfFace(OfFrames):
    """A metric of the main face's embedding."""

    why = "no face was found in it or in the reference"

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self.figure = self.figure._replace(net=looks.net)

    def begin(self, clip: ScoredClip) -> None:
        """Start with a clip."""
        super().begin(clip)
        self._kept: Tensor | None = None

    def look(self, moment: Moment) -> Tensor | None:
        """Return the embedding (K,) of the clip's face; None where there is none."""
        return None if moment.face is None else self._looks.of(moment.shown, moment.face)


class Ids(_OfFace):
    """Identity similarity: the mean cosine to the reference's embedding."""

    figure = Figure("ids", "higher")

    def value(self, moment: Moment) -> float | None:
        """Return the cosine of a frame."""
        look, truth = self.look(moment), moment.truth.face
        if look is None or truth is None or moment.clean is None:
            return None
        return float(F.cosine_similarity(look, self._looks.of(moment.clean, truth), dim=0))


class Vidd(_OfFace):
    """Video identity distance: the mean L2 distance of the embeddings of neighbouring frames."""

    figure = Figure("vidd", "lower")
    why = "no face was found on two frames in a row"

    def see(self, moment: Moment) -> None:
        """Take the distance; the first frame has none, and is not missed."""
        look = self.look(moment)
        if moment.shown_step is not None:
            if look is None or self._kept is None:
                self._mean.missing += 1
            else:
                self._mean.add(moment.number, float(torch.linalg.vector_norm(look - self._kept)))
        self._kept = look


class FaceConsistency(_OfFace):
    """The mean cosine of the embeddings of the first face that is seen and of each later one."""

    figure = Figure("face_consistency", "higher")
    why = "no second frame with the face was found"

    def value(self, moment: Moment) -> float | None:
        """Return the cosine of a frame to the first."""
        look = self.look(moment)
        if look is None or self._kept is None:
            return None
        return float(F.cosine_similarity(look, self._kept, dim=0))

    def see(self, moment: Moment) -> None:
        """Take the cosine; the first frame with a face is what others are compared with."""
        if self._kept is None:
            self._kept = self.look(moment)
        else:
            super().see(moment)
