"""The training loop of every stage: batches, optimizer steps, moving average, logging, scoring and checkpoints.

Of a stage it knows what training/run/stage.py says and nothing else.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType
from torch import Tensor
from tqdm import tqdm

from .average import MovingAverage
from .checkpoints import Checkpoints, Progress
from .config import RunConfig
from .curves import write_curves
from .distributed import agree, fastest_precision, lent, make_accelerator, prepare, prepare_beside
from .eval_mode import eval_mode
from .optim import learning_rate
from .report import Report
from .stage import Draw, Slots, Stage

LOG_EVERY_STEPS = 50
TELL_EVERY_SKIPPED_STEPS = 100
StageType = Callable[[Any, torch.device], Stage]


class Run:
    """A stage in training: `train` takes it to the end of its config.

    Raises ValueError where the config cannot be trained with these processes, or where `output` holds another run.
    """

    def __init__(self, config: RunConfig, stage_type: StageType, command: str = "", resume: bool = False) -> None:
        chosen = fastest_precision() if config.precision == "auto" else config.precision
        config = replace(config, precision=chosen)
        self.config, self.stage_type, self.command = config, stage_type, command
        self.accelerator = make_accelerator(config)
        self.output = Path(config.output)
        self.output.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.stage = stage_type(config, self.accelerator.device)
        whole = Slots(0, self.stage.batch, self.stage.batch)
        self.slots = whole.part(self.accelerator.process_index, self.accelerator.num_processes)
        clips = self.slots.part(0, config.accumulate).count
        first, *others = self.stage.trainables
        prepared = [prepare(self.accelerator, first, config, clips)]
        prepared += [prepare_beside(self.accelerator, module, config, clips) for module in others]
        self.models, self.optimizers = [model for model, _ in prepared], [optimizer for _, optimizer in prepared]
        self.average = MovingAverage(self.models[0], config.optim.ema)
        self.checkpoints = Checkpoints(
            self.output / "state", self.accelerator, self.stage, self.models, self.optimizers, self.average
        )
        self.report = Report(self.accelerator, self.output)
        for note in (f"precision: {chosen.replace('no', 'float32')}", *self.stage.notes):
            self.report.tell(note)
        self.progress = self._start(resume)

    def _start(self, resume: bool) -> Progress:
        if not resume:
            self.checkpoints.refuse_existing()
            return Progress()
        return self.checkpoints.load() or Progress()

    @property
    def done(self) -> float:
        """Progress in [0, 1]: of the steps or of the time, whichever is further."""
        by_steps = self.progress.step / self.config.steps
        by_time = self.progress.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return max(by_steps, by_time)

    def train(self, stop_after: int | None = None) -> None:
        """Train to the end of the config, or for `stop_after` steps; the state is saved either way."""
        progress, config = self.progress, self.config
        last_step = config.steps if stop_after is None else min(config.steps, progress.step + stop_after)
        with torch.random.fork_rng(devices=[]):  # loaders draw a seed: a resumed run must not differ by that
            batches = iter(self.stage.batches(progress.step, self.slots))
        bar = tqdm(total=config.steps, initial=progress.step, unit="step", disable=not sys.stderr.isatty())
        while self.done < 1 and progress.step < last_step:
            started = time.perf_counter()
            self.step(next(batches))
            progress.seconds = agree(self.accelerator, progress.seconds + time.perf_counter() - started)
            bar.update()
            self._intervals()
        bar.close()
        self.checkpoints.save(progress)
        if self.done >= 1:
            self._finish()
        self.report.close()

    def step(self, raw: tuple[Tensor, ...]) -> None:
        """One step of every module on one batch, as `Stage.batches` gave it."""
        step, parts = self.progress.step, self.config.accumulate
        if any(len(part) != self.slots.count for part in raw):
            raise ValueError(f"a batch has {[len(x) for x in raw]} clips, needed {self.slots.count} of {self.slots}")
        here = [part.to(self.accelerator.device, non_blocking=True) for part in raw]
        pieces = [self.stage.to_batch(piece) for piece in zip(*(x.chunk(parts) for x in here), strict=True)]
        for index, module in enumerate(self.stage.trainables):
            if module.rests(step):
                continue
            with lent(self.models[0]) if index else nullcontext():
                pieces, moved = self._move(index, pieces)
            if moved and index == 0:
                self.average.update(step)
        self.report.add_terms(self.stage.after_step(step))
        self.progress.step += 1

    def _move(self, index: int, pieces: list[Any]) -> tuple[list[Any], bool]:
        """One optimizer step of a module over all pieces of the batch.

        Returns the pieces for the modules after it, and whether it moved: it does not where its gradient is not finite.
        """
        model, optimizer, config = self.models[index], self.optimizers[index], self.config
        optimizer.zero_grad()  # another module's loss may have left gradients here
        rate = learning_rate(config.optim, self.progress.step, self.done)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        next_pieces = []
        for number, piece in enumerate(pieces):
            draw = Draw(config.seed, self.progress.step, self.done, self.slots.part(number, len(pieces)))
            with self.accelerator.accumulate(model):
                terms, next_batch = model(piece, draw)
                self.accelerator.backward(torch.stack(list(terms.values())).sum())
            self.report.add_terms(terms)
            next_pieces.append(piece if next_batch is None else next_batch)
        norm = self.accelerator.clip_grad_norm_(model.parameters(), config.optim.max_grad_norm)
        finite = norm is None or math.isfinite(norm)  # DeepSpeed has stepped by now, and may not say its norm
        if finite or self.accelerator.scaler is not None:  # a scaler leaves such a step out itself, to scale down
            optimizer.step()
        optimizer.zero_grad()
        if not finite:
            self._tell_skipped()
        return next_pieces, finite

    def _tell_skipped(self) -> None:
        self.progress.skipped += 1
        if self.progress.skipped == 1 or self.progress.skipped % TELL_EVERY_SKIPPED_STEPS == 0:
            self.report.tell(
                f"step {self.progress.step}: the gradient is not finite, step skipped "
                f"({self.progress.skipped} skipped so far)"
            )

    def _intervals(self) -> None:
        progress, config = self.progress, self.config
        if progress.step % LOG_EVERY_STEPS == 0:
            self._log()
        if progress.step % config.eval.every_steps == 0:
            self.score()
        if progress.step % config.save_every == 0:
            self.checkpoints.save(progress)

    def _log(self) -> None:
        means = self.report.means()
        if not means:  # a finished run, resumed
            return
        self.progress.losses.append({"step": self.progress.step, **means})
        self.report.plot("train", {**means, "skipped": self.progress.skipped}, self.progress.step)

    def _finish(self) -> None:
        """Log and score where the last step did not, and write the last weights."""
        if self.progress.step % LOG_EVERY_STEPS:
            self._log()
        if self.progress.step % self.config.eval.every_steps:
            self.score()
        with self._ema_stage() as stage:
            if stage is not None:
                scores = self.progress.scores[-1] if self.progress.scores else {}
                stage.export(self.output / "last.safetensors", self.facts(scores))

    @contextmanager
    def _ema_stage(self) -> Iterator[Stage | None]:
        """The stage with the EMA weights, in eval mode, as users will have it; None in all but the main process.

        Under FSDP no process has whole weights, so the main one gathers them into a second, unsharded stage.
        """
        accelerator = self.accelerator
        devices = [accelerator.device] if accelerator.device.type == "cuda" else []
        with self.average.applied(), torch.random.fork_rng(devices):
            stage = self.stage
            if accelerator.distributed_type == DistributedType.FSDP:
                weights = accelerator.get_state_dict(self.models[0])  # by all processes together
                if accelerator.is_main_process:
                    stage = self.stage_type(self.config, accelerator.device)
                    stage.trainables[0].load_state_dict(weights)
                    stage.trainables[0].to(accelerator.device)
            with eval_mode(stage.trainables):
                yield stage if accelerator.is_main_process else None

    def score(self) -> None:
        """Score the EMA weights on dev data, write samples, and export them where they are the best so far."""
        with self._ema_stage() as stage:
            scores = {} if stage is None else stage.evaluate()
            if stage is not None and scores:
                self._show(stage, scores)
                if scores["score"] > self.progress.best_score:
                    self.progress.best_score = scores["score"]
                    stage.export(self.output / "best.safetensors", self.facts(scores))
        if self.accelerator.is_main_process:
            write_curves(self.output, self.progress)

    def _show(self, stage: Stage, scores: dict[str, float]) -> None:
        progress = self.progress
        progress.scores.append({"step": progress.step, **scores})
        self.report.plot("dev", scores, progress.step)
        listed = "  ".join(f"{key} {value:+.3f}" for key, value in scores.items())
        self.report.tell(f"step {progress.step}  {progress.seconds / 60:.1f} min  {listed}")
        folder = self.output / "samples" / f"step-{progress.step:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        stage.samples(folder)

    def facts(self, scores: dict[str, float]) -> dict[str, Any]:
        """How the present weights were made, for the metadata of the file."""
        return {
            "command": self.command,
            "processes": self.accelerator.num_processes,
            "seed": self.config.seed,
            "steps": self.progress.step,
            "minutes": round(self.progress.seconds / 60, 1),
            "dev_gains": {key: round(value, 4) for key, value in scores.items() if key not in ("step", "score")},
            "run": self.config.facts(),
        }
