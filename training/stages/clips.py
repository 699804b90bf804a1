"""What the recipes share that learn from face clips: their data, and the dev clips that score them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from vfe.degradations.mix import DegradationMix
from vfe.degradations.presets import NAMES, preset_family
from vfe.degradations.protocol import Family
from vfe.degradations.vividface import DegradationConfig

from ..data.clips import Batch, DataConfig, FaceClips, data_hash, list_items, to_batch
from ..data.dev_set import DevSet, dev_clips
from ..run.best import check_names, check_weights, mixed
from ..run.config import RunConfig
from ..run.stage import Slots, Stage


@dataclass(frozen=True, kw_only=True)
class ClipRunConfig(RunConfig):
    """A run of any stage that learns from face clips: its data and what degrades them."""

    data: DataConfig
    degradation: DegradationConfig = field(default_factory=DegradationConfig)
    mix: DegradationMix | None = None
    """Several families of degradations, instead of `degradation`."""
    preset: str | None = None
    """A named family of `vfe degrade`, as it is, instead of `degradation` and `mix`."""
    best: dict[str, float] | None = None
    """Weights of dev scores by name, whose sum says which weights are the best; None: the stage's own choice."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.best is not None:
            check_weights(self.best)
        if self.preset is not None and self.preset not in NAMES:
            raise ValueError(f"preset is {self.preset!r}, needed one of {', '.join(NAMES)}")
        if self.preset is not None and (self.mix is not None or self.degradation != DegradationConfig()):
            raise ValueError(f"preset {self.preset} is given beside mix or degradation: leave one of them out")

    @property
    def degradations(self) -> Family:
        """What degrades the clips: the preset or the mix where the config has one, else the one family.

        Raises VFEError where this PyAV lacks an encoder of the preset.
        """
        return preset_family(self.preset) if self.preset else self.mix or self.degradation


class ClipStage(Stage):
    """Batches of degraded and clean clips with face masks; dev clips are made once, by the process that scores."""

    degrades = True
    """Whether the recipe reads degraded clips: where it does not, none are made."""

    def __init__(self, config: ClipRunConfig, device: torch.device) -> None:
        self.clip_config, self.device = config, device
        self.batch = config.data.batch
        self.best: Mapping[str, float] = {}
        self._dev: DevSet | None = None
        if config.eval.root is not None:
            dev_clips(config.eval)  # so that a wrong path is told now, not at the first scoring

    def choose_best(self, scores: Collection[str], own: Mapping[str, float]) -> None:
        """Score by the weights of the config, or by the stage's `own`; `scores` are the names of what it measures.

        Raises ValueError where the config names another score.
        """
        self.best = self.clip_config.best or own
        check_names(self.best, scores)

    def scored(self, scores: Mapping[str, float]) -> dict[str, float]:
        """What was measured, with `score` in front."""
        return {"score": mixed(scores, self.best), **scores}

    def state(self) -> dict[str, Any]:
        return {"best": dict(self.best)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Raises ValueError where the run was scored otherwise. What older runs saved says nothing of it."""
        before = state.get("best", dict(self.best))
        if before != dict(self.best):
            raise ValueError(
                f"the run was scored by best={before}, not by {dict(self.best)}, and the two cannot be compared: "
                "resume with the former, or give another output"
            )

    def batches(self, start: int, slots: Slots) -> Iterable[tuple[Tensor, ...]]:
        workers = self.clip_config.workers
        return DataLoader(
            self.clips(start, slots),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=self.device.type == "cuda",
        )

    def clips(self, start: int, slots: Slots) -> IterableDataset[Any]:
        """The dataset that `batches` loads, from batch number `start` on."""
        config = self.clip_config
        return FaceClips(config.data, config.degradations if self.degrades else None, config.seed, start, slots)

    def to_batch(self, raw: tuple[Tensor, ...]) -> Batch:
        return to_batch(*raw)

    @property
    def dev(self) -> DevSet | None:
        """The dev clips, degraded when first asked for; None where the run has none."""
        if self._dev is None and self.clip_config.eval.root is not None:
            self._dev = DevSet(self.clip_config.eval)
        return self._dev

    def data_facts(self) -> dict[str, Any]:
        """Which clips and portraits were trained on, for the metadata of what is exported."""
        items = list_items(self.clip_config.data)
        return {"data_items": len(items), "data_sha256": data_hash(items)}
