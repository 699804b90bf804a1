"""Checkpoints: all that a run needs to go on exactly where it stopped."""

from __future__ import annotations

import random
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from .average import MovingAverage
from .distributed import SHARDED
from .stage import Stage, TrainableModule

STEP_FOLDER = "step-{:08d}"


@dataclass
class Progress:
    """Counters of a run and its history, one entry a log interval or evaluation."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    best_score: float = float("-inf")
    losses: list[dict[str, float]] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)


def trainable_state(module: TrainableModule) -> dict[str, Tensor]:
    """Trained weights and all buffers by name. Frozen weights are left out: they come from where the config says."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def load_trainable_state(module: TrainableModule, state: dict[str, Tensor]) -> None:
    """Load what `trainable_state` gave. Raises ValueError where `state` is of another model."""
    needed = trainable_state(module)
    if needed.keys() != state.keys():
        differing = sorted(needed.keys() ^ state.keys())
        raise ValueError(
            f"the saved state is of another model: {len(differing)} names differ, such as {differing[:3]}; "
            "resume with the config that it was saved with"
        )
    module.load_state_dict(state, strict=False)


def random_state() -> dict[str, Any]:
    """This process's generators: Python, NumPy, torch and the GPUs."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put this process's generators into a state that `random_state` gave."""
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


@dataclass
class Checkpoints:
    """Saves and loads a run. A checkpoint is a folder, written under another name, renamed when complete; only then is
    the one before removed.

    In plain runs everything is in `state.pt`, which any number of processes can load. FSDP and DeepSpeed save weights
    and optimizers of the first module themselves, in shards, and go on with the same number of processes.
    """

    folder: Path
    accelerator: Accelerator
    stage: Stage
    models: list[nn.Module]
    optimizers: list[Any]
    average: MovingAverage
    saved: int | None = None
    """Step of the newest checkpoint that this run has written or loaded."""

    @property
    def sharded(self) -> bool:
        return self.accelerator.distributed_type in SHARDED

    @property
    def complete(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob("step-*") if path.suffix != ".partial")

    def refuse_existing(self) -> None:
        """Raises ValueError where another run's checkpoint is in the folder."""
        if self.complete:
            raise ValueError(
                f"{self.folder} holds a run, saved at {self.complete[-1].name}: go on from it with --resume, "
                "or give another output"
            )

    def save(self, progress: Progress) -> None:
        """Save the run; every process calls this. A stop at any moment leaves a complete checkpoint to load."""
        final = self.folder / STEP_FOLDER.format(progress.step)
        if self.saved == progress.step:
            return
        self.saved = progress.step
        partial = final.with_suffix(".partial")
        everyone = gather_object([random_state()])
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        if self.sharded:
            self.accelerator.save_state(str(partial))
            torch.save(self.average.values, partial / self._own_average())
        if self.accelerator.is_main_process:
            torch.save(self._state(progress, everyone), partial / "state.pt")
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            partial.rename(final)
            for previous in self.folder.iterdir():
                if previous != final:
                    shutil.rmtree(previous)

    def _own_average(self) -> str:
        return f"average_{self.accelerator.process_index}.pt"

    def _state(self, progress: Progress, everyone: list[dict[str, Any]]) -> dict[str, Any]:
        common = {"progress": asdict(progress), "random": everyone, "stage": self.stage.state()}
        if self.sharded:
            return common | self._beside()
        scaler = self.accelerator.scaler
        return common | {
            "modules": [trainable_state(module) for module in self.stage.trainables],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.values,
            "scaler": scaler.state_dict() if scaler else {},
        }

    def _beside(self) -> dict[str, Any]:
        """The modules after the first, which are whole in each process where that is in shards."""
        return {
            "modules": [trainable_state(module) for module in self.stage.trainables[1:]],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers[1:]],
        }

    def load(self) -> Progress | None:
        """Load the newest complete checkpoint into the stage, the optimizers and the average, and return its counters.

        None where there is none. Raises ValueError where it is of another model.
        """
        if not self.complete:
            return None
        newest = self.complete[-1]
        state = torch.load(newest / "state.pt", map_location="cpu", weights_only=True)
        averages = state.get("average")
        if self.sharded:
            self.accelerator.load_state(str(newest))
            averages = torch.load(newest / self._own_average(), map_location="cpu", weights_only=True)
            self._load_modules(state, first=1)
        else:
            self._load_plain(state)
        for value, saved in zip(self.average.values, averages, strict=True):
            value.copy_(saved)
        self.stage.load_state(state["stage"])
        if len(state["random"]) == self.accelerator.num_processes:
            set_random_state(state["random"][self.accelerator.process_index])
        progress = Progress(**state["progress"])
        self.saved = progress.step
        return progress

    def _load_modules(self, state: dict[str, Any], first: int = 0) -> None:
        """Load the modules and their optimizers from number `first` on."""
        for module, weights in zip(self.stage.trainables[first:], state.get("modules", []), strict=True):
            load_trainable_state(module, weights)
        for optimizer, moments in zip(self.optimizers[first:], state.get("optimizers", []), strict=True):
            optimizer.load_state_dict(moments)

    def _load_plain(self, state: dict[str, Any]) -> None:
        self._load_modules(state)
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
