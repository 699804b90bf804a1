"""Output distillation: the student makes of a degraded clip what the teacher makes of it (SSLD, Cui et al. 2021).

    L = w mean |x_S - sg(x_T)| + w_p DISTS(D(x_S), sg(D(x_T))),  x_S = student(z_lq),  x_T = teacher(z_lq)

No clean clip is needed: real footage counts as much as pairs, and half of a batch may be of it (`real` of the run).
That a teacher's outputs on unlabelled data are enough is the paper's; the mean over latents by Charbonnier's penalty,
DISTS of the decoded videos D(x) and their place beside L_task are our own choice. So is the student that computes as if
it were quantised (`quantised`): that low bits need distillation is read in the abstract of TopKLD alone.

z latent (B, C, t, h, w); video (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...losses.terms import penalise
from ...run.stage import Draw, full_precision
from ..batch import DistillBatch
from ..fake_quantised import Grid, check_grid
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """The weights w and w_p, and how the student computes while it learns."""

    weight: float = 1.0
    dists: float = 0.0
    quantised: Grid | None = None
    """The number format of the weights of the student's blocks in use: int8 or fp8. The file has them unrounded."""

    def __post_init__(self) -> None:
        check_grid(self.quantised)
        if self.weight <= 0 or self.dists < 0:
            raise ValueError(f"output has weight={self.weight}, dists={self.dists}: needed above 0, and 0 or more")


class OutputTerm(Addition):
    """The distance of the student's latents, and of its video, from the teacher's."""

    def __init__(self, config: OutputConfig, teacher: Teacher, perceptual: nn.Module | None = None) -> None:
        """Raises ValueError for a teacher that does not restore."""
        super().__init__()
        if teacher.config.kind != "restorer":
            raise ValueError(f"teacher.kind is {teacher.config.kind}: method output learns from a restorer")
        self.config, self.teacher, self.perceptual = config, teacher, perceptual

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:  # noqa: ARG002
        wanted = self.teacher.restored(batch, student)
        terms = {"output": self.config.weight * penalise(z_hq - wanted, "charbonnier").mean()}
        if self.config.dists and self.perceptual is not None:
            with full_precision(z_hq.device):
                seen = student.codec.decode(z_hq)
                with torch.no_grad():
                    shown = student.codec.decode(wanted)
                terms["output_dists"] = self.config.dists * self.perceptual(seen, shown)
        return terms
