"""The warping error of Lai et al. 2018 ("Learning Blind Video Temporal Consistency"), by DIS instead of FlowNet2.

Read in their code (evaluate_WarpError.py, utils.detect_occlusion): for each pair of frames, the later one is taken
along the forward flow to the earlier one; the squared differences of RGB in [0, 1] over pixels that are not occluded
are divided by their number; the mean over the pairs. Figures are 1000 times that, as those with a star in DVFace's
tables seem to be. A pixel is occluded where |w + b|^2 > 0.01 (|w|^2 + |b|^2) + 0.5, with b the flow that lies on it and
w the flow back, taken along b, or where motion ends, which is where |grad b|^2 > 0.01 |b|^2 + 0.002.

H W sides.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from einops import rearrange

from ..flow import LEAST_SIDE, TOO_SMALL, Flow, taken_along
from ..metric import Figure, OfFrames
from ..moment import Moment
from ..picture import Step


class EWarp(OfFrames):
    """1000 times the error by the flow of the reference or, without one, of the input; or by that of the clip itself.

    Lai et al. take the input's. By its own flow a clip may be measured without any other; a blurred one is then steady.
    """

    why = TOO_SMALL

    def __init__(self, flow_of: Literal["truth", "self"]) -> None:
        self.figure = Figure("e_warp_dis" if flow_of == "truth" else "e_warp_self", "lower")
        self._flow_of = flow_of

    def see(self, moment: Moment) -> None:
        """Take the error; the first frame has none, and is not missed."""
        if moment.shown_step is not None:
            super().see(moment)

    def value(self, moment: Moment) -> float | None:
        """Return the error since the frame before."""
        shown = moment.shown_step
        flows = moment.truth.flow_step if self._flow_of == "truth" else shown
        assert shown is not None and flows is not None
        if min(moment.shown.size) < LEAST_SIDE:
            return None
        return 1e3 * warping_error(shown, flows)


def warping_error(shown: Step, flows: Step) -> float:
    """Return the error of two frames by the flows of two others; where all is occluded it is 0, as in the source."""
    before, now = (rearrange(p.values / 255, "c h w -> h w c").numpy() for p in (shown.before, shown.now))
    seen = ~occluded(flows.forward, flows.backward)
    error = (taken_along(now, flows.forward, extended=True) - before)[seen]
    return float(np.square(error, dtype=np.float64).mean()) if error.size else 0.0


def occluded(there: Flow, back: Flow) -> npt.NDArray[np.bool_]:
    """Return which pixels (H, W) of a frame are hidden in the other, or at a border of motion.

    `there` lies on the frame and points into the other, `back` the other way round.
    """
    returned = taken_along(back, there, extended=True)
    sizes = _squared(returned) + _squared(there)
    hidden = _squared(returned + there) > 0.01 * sizes + 0.5
    slopes = np.zeros(there.shape[:2], np.float32)
    slopes[:, :-1] += _squared(np.diff(there, axis=1))
    slopes[:-1] += _squared(np.diff(there, axis=0))
    border = slopes > 0.01 * _squared(there) + 0.002
    return hidden | border


def _squared(flow: Flow) -> Flow:
    length: Flow = np.square(flow).sum(-1)
    return length
