"""The loop of a stage: a time, or steps, to be kept, batches as large as memory takes, and a state to go on from.

Plainer than training/run/loop.py, which shares a run between processes: here one device has little time. It needs
torch and numpy alone. What it trains are `TrainableModule`s of training/run/stage.py.
"""

from __future__ import annotations

import json
import math
import sys
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from vfe.types import VFEError

from ..run.average import MovingAverage
from ..run.eval_mode import eval_mode
from ..run.optim import OptimConfig, learning_rate
from ..run.stage import Draw, Slots, TrainableModule
from .precision import fast_autocast

STATE_FILE = "state.pt"


@dataclass(frozen=True, kw_only=True)
class BurstConfig:
    """How long one stage runs, in batches of what size, and how its weights are moved."""

    minutes: float | None = None
    """How long it trains, over all resumes; scoring and saving count."""
    steps: int | None = None
    """How many steps it trains instead: the same run on a machine that is busy or slow."""
    batch: int = 8
    """Halved where memory does not take it."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    save_seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_length(self.minutes, self.steps)
        if self.batch < 1:
            raise ValueError(f"batch={self.batch}: needed at least 1")


def check_length(minutes: float | None, steps: int | None) -> None:
    """Raise VFEError unless a run has one length: minutes above 0, or at least one step."""
    given = [length for length in (minutes, steps) if length is not None]
    if len(given) != 1 or given[0] <= 0:
        raise VFEError(f"minutes={minutes}, steps={steps}: needed one of them, above 0")


class BurstStage(ABC):
    """One stage as the loop trains it: the first of its `trainables` is averaged, scored and exported."""

    trainables: tuple[TrainableModule, ...]

    def clips_of(self, step: int, count: int) -> int:  # noqa: ARG002 - for subclasses
        """How many clips the batch of a step has where batches have `count` clips: fewer where they are longer."""
        return count

    @abstractmethod
    def batch(self, step: int, count: int) -> Any:  # noqa: ANN401 - the stage's own batch type
        """Make the batch of a step, on the device, with `count` clips."""

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Scores on people that were held out; `score`, higher is better, decides which file is kept."""

    @abstractmethod
    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the file that users, and the next stage, load; `facts` (how it was made) go into its metadata."""

    def pictures(self) -> list[Tensor]:
        """Clips of held-out people to look at, (N, 3, T, S, S) in [-1, 1] each: one row of a sheet each."""
        return []

    def after_step(self, step: int) -> dict[str, float]:  # noqa: ARG002 - for subclasses
        """Change what no optimizer moves; called after each step. Returns values to log."""
        return {}


@dataclass
class BurstProgress:
    """How far a stage has come: counters, the batch size that memory allows, the best score and the curves."""

    step: int = 0
    seconds: float = 0.0
    batch: int = 0
    skipped: int = 0
    best: float = -math.inf
    curves: list[dict[str, float]] = field(default_factory=list)


class BurstLoop:
    """Trains a stage until its time is up, or its steps are done: `train`."""

    def __init__(self, stage: BurstStage, config: BurstConfig, out: Path, device: torch.device) -> None:
        self.stage, self.config, self.out, self.device = stage, config, out, device
        out.mkdir(parents=True, exist_ok=True)
        self.optimizers = [_optimizer(module, config.optim) for module in stage.trainables]
        self.average = MovingAverage(stage.trainables[0], config.optim.ema)
        self.clock = BurstProgress(batch=config.batch)
        self._terms: dict[str, list[Tensor]] = defaultdict(list)
        if (out / STATE_FILE).exists():
            self._load()

    @property
    def done(self) -> float:
        """The share of the run that is over: from 0 to 1, and beyond where a step overran."""
        if self.config.steps is not None:
            return self.clock.step / self.config.steps
        assert self.config.minutes is not None
        return self.clock.seconds / (60 * self.config.minutes)

    def train(self) -> None:
        """Train until the run is over, from where the state in the output folder left off.

        The state is saved at the end and every `save_seconds`.
        """
        saved = started = perf_counter()
        before = self.clock.seconds
        while self.done < 1:
            self._step_or_halve()
            self.clock.seconds = before + perf_counter() - started
            if perf_counter() - saved >= self.config.save_seconds:
                self.save()
                saved = perf_counter()
        if not self.clock.curves or self.clock.curves[-1]["step"] < self.clock.step:
            self.save()

    def _step_or_halve(self) -> None:
        try:
            self._step()
        except torch.OutOfMemoryError:
            if self.clock.batch == 1:
                raise
            self.clock.batch //= 2
            self._say(f"out of memory: batches of {self.clock.batch} from now on")
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            torch.cuda.empty_cache()

    def _step(self) -> None:
        clock = self.clock
        count = self.stage.clips_of(clock.step, clock.batch)
        batch = self.stage.batch(clock.step, count)
        slots = Slots(0, count, count)
        for index, module in enumerate(self.stage.trainables):
            if module.rests(clock.step):
                continue
            draw = Draw(self.config.seed, clock.step, self.done, slots)
            batch, moved = self._move(index, batch, draw)
            if moved and index == 0:
                self.average.update(clock.step)
        for name, value in self.stage.after_step(clock.step).items():
            self._terms[name].append(torch.tensor(value))
        clock.step += 1

    def _move(self, index: int, batch: Any, draw: Draw) -> tuple[Any, bool]:  # noqa: ANN401
        """One optimizer step of a module.

        Returns the batch for the modules after it, and whether it moved: it does not where its gradient is not finite.
        """
        module, optimizer = self.stage.trainables[index], self.optimizers[index]
        rate = learning_rate(self.config.optim, draw.step, self.done)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with fast_autocast(self.device):
            terms, next_batch = module(batch, draw)
            loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        moved = [parameter for parameter in module.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(moved, self.config.optim.max_grad_norm)
        finite = bool(torch.isfinite(norm))
        if finite:
            optimizer.step()
        else:
            self.clock.skipped += 1
        optimizer.zero_grad()
        for name, value in terms.items():
            self._terms[name].append(value.detach())
        return batch if next_batch is None else next_batch, finite

    def save(self) -> None:
        """Score the EMA weights, write them and the curves, then the state: a stop at any moment loses little."""
        clock = self.clock
        means = {name: float(torch.stack(values).float().mean()) for name, values in sorted(self._terms.items())}
        self._terms.clear()
        with self.average.applied(), eval_mode(self.stage.trainables):
            scores = self.stage.evaluate()
            row = {"step": clock.step, "minutes": round(clock.seconds / 60, 2), **means, **scores}
            clock.curves.append(row)
            facts = {"steps": clock.step, "minutes": round(clock.seconds / 60, 1), "seed": self.config.seed, **scores}
            if scores.get("score", math.inf) > clock.best:
                clock.best = scores.get("score", math.inf)
                self.stage.export(self.out / "best.safetensors", facts)
            self.stage.export(self.out / "last.safetensors", facts)
            write_sheet(self.out / "sheet.png", self.stage.pictures())
        (self.out / "curves.json").write_text(json.dumps(clock.curves, indent=1), encoding="utf-8")
        self._say("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
        self._write_state()

    def _write_state(self) -> None:
        state = {
            "players": [module.state_dict() for module in self.stage.trainables],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.values,
            "clock": asdict(self.clock),
        }
        partial = self.out / f".{STATE_FILE}.partial"
        torch.save(state, partial)
        partial.replace(self.out / STATE_FILE)

    def _load(self) -> None:
        state = torch.load(self.out / STATE_FILE, map_location="cpu", weights_only=True)
        for module, weights in zip(self.stage.trainables, state["players"], strict=True):
            module.load_state_dict(weights)
        for optimizer, moments in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(moments)
        for value, kept in zip(self.average.values, state["average"], strict=True):
            value.copy_(kept)
        self.clock = BurstProgress(**state["clock"])
        self._say(f"goes on from step {self.clock.step}, {self.clock.seconds / 60:.1f} minutes")

    def _say(self, line: str) -> None:
        print(f"{self.out.name}: {line}", file=sys.stderr, flush=True)


def write_sheet(path: Path, rows: list[Tensor]) -> None:
    """Write a picture with the middle frame of each clip: a row for each of `rows` (N, 3, T, S, S) in [-1, 1], one
    under the other."""
    if rows:
        frames = [row[:, :, row.shape[2] // 2].clamp(-1, 1).add(1).mul(127.5).round().byte().cpu() for row in rows]
        Image.fromarray(torch.cat([rearrange(row, "n c h w -> h (n w) c") for row in frames]).numpy()).save(path)


def _optimizer(module: TrainableModule, config: OptimConfig) -> torch.optim.Optimizer:
    """AdamW over the trained weights, each at the module's rate; only matrices and kernels have weight decay."""
    groups: dict[tuple[float, bool], list[Tensor]] = defaultdict(list)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups[module.rate_of(name), parameter.ndim > 1].append(parameter)
    listed = [
        {"params": list(values), "scale": scale, "weight_decay": config.weight_decay if decays else 0.0}
        for (scale, decays), values in groups.items()
    ]
    return torch.optim.AdamW(listed, lr=config.lr, betas=config.betas, eps=config.eps, fused=len(listed) > 0)
