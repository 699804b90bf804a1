"""What a run is: frozen dataclasses that a YAML file may only fill.

`RunConfig` is what every stage has; a stage's own config extends it, so that a YAML file is one flat list of decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from vfe.types import padded_frames

from .optim import OptimConfig as OptimConfig
from .recorded import NOT_RECORDED, recorded


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Dev scoring at intervals: the first `clips` clips of `root`, `frames` of each, at the three benchmark levels."""

    root: str | None = field(default=None, metadata=NOT_RECORDED)
    clips: int = 6
    frames: int = 13
    every_steps: int = 500
    samples: int = 3
    """Clips of which pictures are written at each scoring."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames != padded_frames(self.frames) or self.every_steps < 1 or self.clips < 1:
            raise ValueError(
                f"frames={self.frames}, every_steps={self.every_steps}, clips={self.clips}: needed 4n+1, >= 1, >= 1"
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A run of any stage: where it writes, how long it trains, and how.

    Time `minutes` (of training, over all resumes) ends it early: the schedule follows the greater of steps done and
    minutes used, so that the same file makes the most of a short lease and of a long night.
    """

    stage: str
    output: str = field(metadata=NOT_RECORDED)
    steps: int
    minutes: float | None = None
    seed: int = 0
    optim: OptimConfig = field(default_factory=OptimConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """The number format of autocast: no is float32, auto what the device is fastest in. The run says which, and its
    files have it."""
    compile: bool = False
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory for about a third more time."""
    accumulate: int = 1
    """Parts in which each process takes its share of the batch, one after the other: less memory, the same result."""
    workers: int = 1
    """Loader processes of each process. The data depends on it, as each follows a stream of its own."""
    save_every: int = 500

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "no", "bf16", "fp16"):
            raise ValueError(f'precision={self.precision!r}, needed auto, bf16, fp16 or "no", which needs the quotes')
        if min(self.steps, self.save_every, self.accumulate) < 1 or self.workers < 0:
            raise ValueError(
                f"steps={self.steps}, save_every={self.save_every}, accumulate={self.accumulate}, "
                f"workers={self.workers}: needed 1 or more, workers 0 or more"
            )

    def facts(self) -> dict[str, Any]:
        """The run as plain values without the fields marked `NOT_RECORDED`, for the metadata of what it makes."""
        return recorded(self)


def read_yaml(path: Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The mapping of a YAML run; `overrides` maps dotted keys to values, as given on the command line.

    Raises ValueError where there is none, or no place in it for a key.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ValueError(f"{path} holds no keys with values; give a run such as those of training/configs")
    for key, value in (overrides or {}).items():
        *parents, leaf = key.split(".")
        node = raw
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ValueError(f"{key} cannot be set: {parent} is {node!r}, which has no parts")
        node[leaf] = value
    return raw


def read_overrides(items: Sequence[str]) -> dict[str, Any]:
    """The values of `KEY=VALUE`, as YAML, by their keys. Raises ValueError for one that is none."""
    overrides = {}
    for item in items:
        key, _, value = item.partition("=")
        try:
            overrides[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{item!r} is no KEY=VALUE: {' '.join(str(error).split())}") from error
    return overrides
