"""PSNR of the pixels of the main face, where the reference has it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..metric import Figure
from ..moment import Moment
from .psnr import Psnr


class FacePsnr(Psnr):
    """As `Psnr`, with the mean over the face's pixels of all frames."""

    figure = Figure("face_psnr", "higher", "dB")
    why = "no face was found in the reference"

    def region(self, moment: Moment) -> Tensor:
        """Return the pixels of the face; none where there is none."""
        face = moment.truth.face
        return torch.zeros(1, dtype=torch.bool) if face is None else face.region
