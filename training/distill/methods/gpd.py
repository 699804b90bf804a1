"""Gap preserving distillation: the student is a slice of a wider, dynamic teacher, and both learn at once (GPD, arXiv
2410.04140).

    T = teacher(z_lq), S = student(z_lq), and x_T a trained teacher that stays as it is (static)
    L_T = task(T) + w_static KD(T, sg x_T)
    L_S = task(S) + w_static KD(S, sg x_T) + lambda KD(S, sg T)

Both backward passes add up in the tensors that the two share, and one step of the optimizer moves them (the authors'
code); here it is one backward pass of L_T + L_S, which has the same gradient. At the end the student is cut out of the
teacher, and nothing is trained after (training/distill/reparameterise.py). lambda = 3 and r = 2 are the authors'. KD is
theirs to choose too, soft cross-entropy for classes or a squared error; for restored latents the squared error or
Charbonnier's penalty is our choice. task is the run's L_task, which switches between face and frame for each by itself.

z latent (B, C, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vfe.models.dit.model import WanDiT

from ...losses.terms import penalise
from ...one_step import OneStepDiT
from ...run.distributed import launched_with_fsdp
from ...run.stage import Draw
from ..batch import DistillBatch
from ..method import Addition
from ..reparameterise import WideningConfig, student_of, widened_dit
from ..restorer import LatentRestorer
from ..task import TaskLoss
from ..teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class GPDConfig(WideningConfig):
    """How the dynamic teacher is made, and what weighs how much."""

    dynamic: float = 3.0
    """lambda, the weight of KD from the dynamic teacher."""
    static: float = 0.0
    """The weight of KD from the run's own teacher, of both; 0 where that is the ground truth."""
    penalty: Literal["mse", "charbonnier"] = "charbonnier"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dynamic < 0 or self.static < 0:
            raise ValueError(f"gpd has dynamic={self.dynamic}, static={self.static}, needed 0 or more")
        if self.penalty not in ("mse", "charbonnier"):
            raise ValueError(f"gpd.penalty is {self.penalty!r}, needed mse or charbonnier")


class DynamicTeacher(Addition):
    """The wider DiT with its loss, and the student's distance from it.

    Its blocks are all that is trained of blocks: the student's are slices of them. All other parts are the student's.
    """

    def __init__(self, config: GPDConfig, student: LatentRestorer, task: TaskLoss, teacher: Teacher) -> None:
        """Takes the weights of the student, whose DiT is a slice of the teacher's from then on.

        Raises ValueError where a teacher is given and not used or asked for and not given, for LoRA and for FSDP.
        """
        super().__init__()
        check(config, student.model.dit, teacher)
        self.config, self.teacher = config, teacher
        wide = widened_dit(student.model.dit, config)
        student.use_dit(student_of(wide, config.ratio))
        self.blocks = wide.blocks
        # In tuples: what they share with the student would be named twice.
        self._model = (OneStepDiT(wide, student.model.prompt_embedding, student.model.flow),)
        self._task = (task,)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        config = self.config
        dynamic = self._model[0](batch.z_lq)
        terms = {f"teacher_{name}": term for name, term in self._task[0](batch, dynamic, draw).items()}
        terms["dynamic"] = config.dynamic * self._distance(z_hq, dynamic.detach())
        if config.static:
            wanted = self.teacher.restored(batch, student)
            terms["static"] = config.static * self._distance(z_hq, wanted)
            terms["teacher_static"] = config.static * self._distance(dynamic, wanted)
        return terms

    def _distance(self, z_hq: Tensor, wanted: Tensor) -> Tensor:
        """KD: the mean penalty over latents of all clips, for no clean one is needed."""
        return penalise(z_hq - wanted, self.config.penalty).mean()


def check(config: GPDConfig, dit: WanDiT, teacher: Teacher) -> None:
    """Raise ValueError where the run's teacher, student or launcher does not fit."""
    kind = teacher.config.kind
    if kind != ("restorer" if config.static else "ground_truth"):
        raise ValueError(
            f"teacher.kind is {kind} and gpd.static {config.static}: a restorer teaches where static is above 0, "
            "else give ground_truth"
        )
    if any(".lora_" in name for name, _ in dit.named_parameters()):
        raise ValueError("the student has a LoRA: gpd trains whole weights, leave student.wan.lora out")
    if launched_with_fsdp():
        raise ValueError("gpd shares tensors between two networks, which FSDP takes apart; launch with multi_gpu.yaml")
