"""Which method a run distils by, and which extras it adds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import nn

from ..data.clips import DataConfig
from .clips import Severities
from .extras.motion import MotionConfig, MotionTerms
from .extras.portraits import Portraits
from .extras.score_critic import ScoreCriticConfig, ScoreCriticTerms
from .extras.self_adversarial import SelfAdversarialConfig, SelfAdversarialTerm
from .fake_quantised import round_linears
from .method import Addition, Distillation, beside_others, with_additions
from .methods.decoder import DecoderConfig, decoder_distillation
from .methods.dmd import DmdConfig, DmdTerm
from .methods.experts import ExpertsConfig, ExpertsTerm
from .methods.feature import FeatureConfig, FeatureTerm
from .methods.gpd import DynamicTeacher, GPDConfig
from .methods.head_steps import HeadStepsConfig, HeadStepsTerm
from .methods.output import OutputConfig, OutputTerm
from .methods.prune import PruneConfig, PrunedStudent, prune
from .methods.severity import SeverityConfig, SeverityTerm
from .methods.twin import TwinConfig, TwinTerms
from .methods.w2svd import W2svdConfig, W2svdTerm
from .restorer import LatentRestorer
from .task import TaskLoss
from .teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """One method by its name, with its own config."""

    decoder: DecoderConfig | None = None
    dmd: DmdConfig | None = None
    experts: ExpertsConfig | None = None
    feature: FeatureConfig | None = None
    gpd: GPDConfig | None = None
    head_steps: HeadStepsConfig | None = None
    output: OutputConfig | None = None
    prune: PruneConfig | None = None
    severity: SeverityConfig | None = None
    twin: TwinConfig | None = None
    w2svd: W2svdConfig | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(names) != 1:
            known = ", ".join(each.name for each in fields(self))
            raise ValueError(f"method names {', '.join(names) or 'none'}, needed one of {known}: {{}} after it will do")

    @property
    def twins(self) -> Severities | None:
        """At what severities the method needs both twins of a clip; None where it needs no twins."""
        return self.severity.twins if self.severity else None

    @property
    def dists(self) -> float:
        """The weight of DISTS in the method's own terms."""
        weights = (each.dists for each in (self.output, self.decoder) if each is not None)
        return sum(weights)

    @property
    def can_keep(self) -> bool:
        """Whether all that it asks of the teacher are restored latents, which can be kept."""
        return self.output is not None or self.severity is not None


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
    perceptual: nn.Module | None = None
    """DISTS, or what stands in for it, where the run weighs it."""
    checkpointing: bool = False
    """Whether activations of what is trained are recomputed."""


def distillation(method: MethodConfig, extras: ExtrasConfig, parts: Parts) -> Distillation:
    """What is trained by a method and its extras. Raises ValueError where they do not fit student or teacher."""
    if method.decoder is not None:
        if any(getattr(extras, each.name) is not None for each in fields(extras)):
            raise ValueError("method decoder leaves the restorer as it is, to which extras would add; leave them out")
        return decoder_distillation(method.decoder, parts.student, parts.teacher, parts.perceptual)
    if method.prune is not None:
        pruning = prune(method.prune, parts.student, parts.teacher)
        added = _extras(extras, parts)  # after the student has its new DiT
        return beside_others(PrunedStudent(pruning, parts.student, parts.task, added), added)
    return with_additions(parts.student, parts.task, [*_additions(method, parts), *_extras(extras, parts)])


def _additions(method: MethodConfig, parts: Parts) -> list[Addition]:
    additions: list[Addition] = []
    if method.gpd is not None:
        additions.append(DynamicTeacher(method.gpd, parts.student, parts.task, parts.teacher))
    if method.experts is not None:
        additions.append(ExpertsTerm(method.experts, parts.student, parts.teacher))
    if method.head_steps is not None:
        additions.append(HeadStepsTerm(method.head_steps, parts.student, parts.teacher))
    if method.output is not None:
        if method.output.quantised is not None:
            round_linears(parts.student.model.dit.blocks, method.output.quantised)
        additions.append(OutputTerm(method.output, parts.teacher, parts.perceptual))
    if method.feature is not None:
        additions.append(FeatureTerm(method.feature, parts.student, parts.teacher))
    if method.severity is not None:
        additions.append(SeverityTerm(method.severity, parts.teacher))
    if method.twin is not None:
        additions.append(TwinTerms(method.twin))
    if method.dmd is not None:
        additions.append(DmdTerm(method.dmd, parts.student, parts.teacher, parts.checkpointing))
    if method.w2svd is not None:
        additions.append(W2svdTerm(method.w2svd, parts.student, parts.teacher, parts.checkpointing))
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
