"""What a run is: frozen dataclasses that a YAML file may only fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from vfe.config import from_mapping
from vfe.models.lite import LiteConfig

from .data import DataConfig
from .degrade import DegradationConfig
from .losses import LossConfig


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """AdamW with linear warm-up and cosine decay, gradient clipping and a moving average of the weights."""

    lr: float = 1e-3
    final_lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warmup_steps: int = 200
    max_grad_norm: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        if self.lr <= 0 or not 0 <= self.ema < 1 or self.warmup_steps < 0:
            raise ValueError(
                f"lr={self.lr}, ema={self.ema}, warmup_steps={self.warmup_steps}: needed > 0, in [0, 1), >= 0"
            )


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """A part of the run: its share of the steps and its loss."""

    share: float
    loss: LossConfig

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"stage share is {self.share}, needed above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Dev scoring at intervals: the first `clips` clips of `root`, `frames` of each, at the three benchmark levels."""

    root: str | None = None
    clips: int = 6
    frames: int = 13
    every_steps: int = 500


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig:
    """Weight files for DISTS: torchvision's VGG16 state dict, and the published alpha and beta."""

    vgg16: str
    dists: str


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run. Time `minutes` (of training, over all resumes) ends it early: the schedule follows the greater of
    steps done and minutes used, so that the same file makes the most of a short lease and of a long night."""

    model: LiteConfig
    init: str | None = None
    """A restorer file of the same model to start from, instead of random weights."""
    data: DataConfig
    degradation: DegradationConfig = field(default_factory=DegradationConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    stages: tuple[StageConfig, ...]
    perceptual: PerceptualConfig | None = None
    eval: EvalConfig = field(default_factory=EvalConfig)
    steps: int
    minutes: float | None = None
    seed: int = 0
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    compile: bool = False
    workers: int = 1
    save_every: int = 500
    output: str

    def __post_init__(self) -> None:
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise ValueError(f"stage shares add up to {sum(stage.share for stage in self.stages)}, needed 1")
        if self.perceptual is None and any(stage.loss.dists for stage in self.stages):
            raise ValueError(
                "a stage weighs dists, which needs perceptual.vgg16 and .dists; without them use structure"
            )
        if self.steps < 1 or self.save_every < 1 or self.eval.every_steps < 1:
            raise ValueError("steps, save_every and eval.every_steps need to be at least 1")

    def stage_at(self, progress: float) -> StageConfig:
        """The stage that holds at `progress` in [0, 1]."""
        end = 0.0
        for stage in self.stages:
            end += stage.share
            if progress < end:
                return stage
        return self.stages[-1]


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a YAML run; `overrides` maps dotted keys to YAML values, as given on the command line."""
    raw = yaml.safe_load(path.read_text())
    for key, value in (overrides or {}).items():
        *parents, leaf = key.split(".")
        node = raw
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return from_mapping(TrainConfig, raw)
