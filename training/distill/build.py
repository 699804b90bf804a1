"""Which method a run distils by, and which extras it adds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..data.clips import DataConfig
from .extras.motion import MotionConfig, MotionTerms
from .extras.portraits import Portraits
from .extras.score_critic import ScoreCriticConfig, ScoreCriticTerms
from .extras.self_adversarial import SelfAdversarialConfig, SelfAdversarialTerm
from .method import Addition, Distillation, with_additions
from .methods.output import OutputConfig, OutputTerm
from .methods.twin import TwinConfig, TwinTerms
from .restorer import LatentRestorer
from .task import TaskLoss
from .teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """One method by its name, with its own config."""

    output: OutputConfig | None = None
    twin: TwinConfig | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(names) != 1:
            known = ", ".join(each.name for each in fields(self))
            raise ValueError(f"method names {', '.join(names) or 'none'}, needed one of {known}: {{}} after it will do")


@dataclass(frozen=True, kw_only=True)
class ExtrasConfig:
    """What is added to the method, each where it has a config."""

    motion: MotionConfig | None = None
    self_adversarial: SelfAdversarialConfig | None = None
    score_critic: ScoreCriticConfig | None = None


@dataclass(frozen=True)
class Parts:
    """What a method is built of."""

    student: LatentRestorer
    task: TaskLoss
    teacher: Teacher
    data: DataConfig
    seed: int


def distillation(method: MethodConfig, extras: ExtrasConfig, parts: Parts) -> Distillation:
    """What is trained by a method and its extras. Raises ValueError where they do not fit student or teacher."""
    return with_additions(parts.student, parts.task, [*_additions(method, parts), *_extras(extras, parts)])


def _additions(method: MethodConfig, parts: Parts) -> list[Addition]:
    additions: list[Addition] = []
    if method.output is not None:
        additions.append(OutputTerm(method.output, parts.teacher))
    if method.twin is not None:
        additions.append(TwinTerms(method.twin))
    return additions


def _extras(extras: ExtrasConfig, parts: Parts) -> list[Addition]:
    additions: list[Addition] = []
    if extras.motion is not None:
        portraits = Portraits(parts.data, parts.seed) if extras.motion.critic is not None else None
        additions.append(MotionTerms(extras.motion, parts.teacher, parts.student, portraits))
    if extras.self_adversarial is not None:
        additions.append(SelfAdversarialTerm(extras.self_adversarial, parts.student))
    if extras.score_critic is not None:
        additions.append(ScoreCriticTerms(extras.score_critic, parts.teacher, parts.student))
    return additions
