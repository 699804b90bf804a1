"""Train a one-step restorer: `python -m training.train training/configs/lite.yaml [--resume] [--set key=value ...]`.

The VividFace recipe: a stage on latents, then one on pixels, each step on the face or on the whole frame at random.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import broadcast
from einops import rearrange
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from vfe.checkpoint import load_restorer, save_checkpoint
from vfe.models.lite import LiteRestorer

from .config import OptimConfig, TrainConfig, load_config
from .curves import write_curves
from .data import Batch, FaceClips, data_hash, list_items, to_batch
from .dists import Dists, load_dists
from .evaluate import DevSet, evaluate
from .losses import LossConfig, structure_loss, switched_loss, temporal_loss
from .masks import align_mask
from .state import MovingAverage, Progress, load_state, save_state
from .whiten import measure_scale

LOG_EVERY = 50


@dataclass
class Objective:
    """What loss terms are computed with: the net, the net as accelerate wraps it, and DISTS where it is used."""

    net: LiteRestorer
    model: torch.nn.Module
    dists: Dists | None = None


def loss_terms(objective: Objective, batch: Batch, config: LossConfig, on_face: Tensor) -> dict[str, Tensor]:
    """The stage's loss terms for one batch, already weighted."""
    codec, flow = objective.net.codec, objective.net.config.flow
    z_lq = codec.encode(batch.degraded)
    z_hq = flow.restore(z_lq, objective.model(z_lq).float())
    if config.space == "latent":
        mask = align_mask(batch.mask, codec.config.time, codec.config.space)
        return {"latent": switched_loss(z_hq, codec.encode(batch.clean), mask, on_face, config.penalty)}
    x_hq = codec.decode(z_hq)
    terms = {"pixel": switched_loss(x_hq, batch.clean, batch.mask.unsqueeze(1), on_face, config.penalty)}
    if config.dists and objective.dists is not None:
        images = (rearrange(x, "b c t h w -> (b t) c h w") / 2 + 0.5 for x in (x_hq, batch.clean))
        terms["dists"] = config.dists * objective.dists(*images)
    if config.structure:
        terms["structure"] = config.structure * structure_loss(x_hq, batch.clean)
    if config.temporal:
        terms["temporal"] = config.temporal * temporal_loss(x_hq, batch.clean, config.penalty)
    return terms


def learning_rate(config: OptimConfig, step: int, progress: float) -> float:
    """Linear warm-up over steps, then a cosine over the run."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    return config.final_lr + (config.lr * warm - config.final_lr) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def build_optimizer(model: torch.nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels only."""
    matrices = [p for p in model.parameters() if p.ndim >= 2 and p.shape[0] > 1]
    others = [p for p in model.parameters() if not (p.ndim >= 2 and p.shape[0] > 1)]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def initial_model(config: TrainConfig) -> LiteRestorer:
    """Random weights and a measured codec scale, or the weights of `config.init`."""
    if config.init is None:
        net = LiteRestorer(config.model)
        net.codec.scale.copy_(measure_scale(net.codec, config.data))
        return net
    net = load_restorer(Path(config.init), torch.device("cpu"), torch.float32)
    if net.config != config.model:
        raise ValueError(f"{config.init} is {net.config}, the run's model is {config.model}: they need to be the same")
    return net.train().requires_grad_(True)


class Run:
    """Objects of a training run, and what happens at its intervals."""

    def __init__(self, config: TrainConfig, resume: bool, command: str) -> None:
        self.config, self.command = config, command
        self.accelerator = Accelerator(mixed_precision=config.precision)
        self.output = Path(config.output)
        self.output.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.net = initial_model(config)
        self.net.to(self.accelerator.device)
        self.ema = MovingAverage(self.net, config.optim.ema)
        self.optimizer = build_optimizer(self.net, config.optim)
        self.progress = Progress()
        if resume and self.state_path.exists():
            self.progress = load_state(self.state_path, self.net, self.optimizer, self.ema)
        wrapped = torch.compile(self.net) if config.compile else self.net
        model, self.optimizer = self.accelerator.prepare(wrapped, self.optimizer)
        self.objective = Objective(self.net, model, self._dists())
        self.dev = DevSet(config.eval) if config.eval.root and self.accelerator.is_main_process else None
        self.evaluated_at = time.perf_counter()

    def _dists(self) -> Dists | None:
        files = self.config.perceptual
        if files is None:
            self.accelerator.print(
                "perceptual: no weight files given, so DISTS is not used; structure (1 - SSIM) stands in for it"
            )
            return None
        return load_dists(Path(files.vgg16), Path(files.dists)).to(self.accelerator.device)

    @property
    def state_path(self) -> Path:
        return self.output / "state.pt"

    @property
    def done(self) -> float:
        """Progress in [0, 1]: of the steps or of the time, whichever is further."""
        by_steps = self.progress.step / self.config.steps
        by_time = self.progress.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return max(by_steps, by_time)

    def batches(self) -> DataLoader[Any]:
        seed = self.config.seed + self.accelerator.process_index
        clips = FaceClips(self.config.data, self.config.degradation, seed, start=self.progress.step)
        workers = self.config.workers
        return DataLoader(clips, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)

    def on_face(self, size: int, probability: float) -> Tensor:
        """Which clips of this step's batch are scored on the face: drawn from the seed and the step alone."""
        key = (self.config.seed, self.accelerator.process_index, self.progress.step)
        generator = torch.Generator().manual_seed(hash(key) % 2**63)  # integers hash alike on every machine
        return (torch.rand(size, generator=generator) < probability).to(self.accelerator.device)

    def agree(self, seconds: float) -> float:
        """The main process's clock for all, so that they end at the same step."""
        if self.accelerator.num_processes == 1:
            return seconds
        return float(broadcast(torch.tensor(seconds, dtype=torch.float64, device=self.accelerator.device)))

    def score(self) -> None:
        """Score the moving average on the dev clips; keep it as the best file where it is the best so far."""
        if self.dev is None:
            return
        self.ema.swap(self.net)
        self.net.eval()
        scores = evaluate(self.net, self.dev, self.accelerator.device, self.config.precision)
        self.progress.scores.append({"step": self.progress.step, **scores})
        if scores["psnr"] > self.progress.best_score:
            self.progress.best_score = scores["psnr"]
            self.export("best.safetensors", scores)
        self.net.train()
        self.ema.swap(self.net)
        report = "  ".join(f"{key} {value:+.3f}" for key, value in scores.items())
        tqdm.write(f"step {self.progress.step}  {self.progress.seconds / 60:.1f} min  {report}", file=sys.stderr)
        write_curves(self.output, self.progress)

    def export(self, name: str, scores: dict[str, float]) -> None:
        """Write the net's present weights with what made them as metadata."""
        items = list_items(self.config.data)
        facts: dict[str, Any] = {
            "command": self.command,
            "processes": self.accelerator.num_processes,
            "seed": self.config.seed,
            "steps": self.progress.step,
            "minutes": round(self.progress.seconds / 60, 1),
            "data_items": len(items),
            "data_sha256": data_hash(items),
            "dev_gains": {key: round(value, 4) for key, value in scores.items()},
            "run": {key: value for key, value in asdict(self.config).items() if key not in ("model", "output")},
        }
        facts["run"]["data"].pop("root")  # a path of the training machine
        facts["run"]["eval"].pop("root")
        facts["run"].pop("perceptual")
        save_checkpoint(self.output / name, self.net, facts)

    def save(self) -> None:
        if self.accelerator.is_main_process:
            save_state(self.state_path, self.net, self.optimizer, self.ema, self.progress)


def train(config: TrainConfig, resume: bool = False, command: str = "", stop_after: int | None = None) -> Run:
    """Run to the end of the config, or for `stop_after` steps; the state is saved either way."""
    run = Run(config, resume, command)
    progress, device = run.progress, run.accelerator.device
    bar = tqdm(total=config.steps, initial=progress.step, unit="step", disable=not sys.stderr.isatty())
    kept: dict[str, list[float]] = {}
    last_step = config.steps if stop_after is None else min(config.steps, progress.step + stop_after)
    batches = iter(run.batches())
    while run.done < 1 and progress.step < last_step:
        started = time.perf_counter()
        stage = config.stage_at(run.done)
        batch = to_batch(*(part.to(device, non_blocking=True) for part in next(batches)))
        on_face = run.on_face(len(batch.clean), stage.loss.face_probability)
        terms = loss_terms(run.objective, batch, stage.loss, on_face)
        loss = torch.stack(list(terms.values())).sum()
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(config.optim, progress.step, run.done)
        run.accelerator.backward(loss)
        norm = run.accelerator.clip_grad_norm_(run.net.parameters(), config.optim.max_grad_norm)
        if torch.isfinite(norm):
            run.optimizer.step()
            run.ema.update(run.net, progress.step)
        else:
            progress.skipped += 1
        run.optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        for name, term in terms.items():
            kept.setdefault(name, []).append(term.item())
        progress.seconds = run.agree(progress.seconds + time.perf_counter() - started)
        bar.update()
        if progress.step % LOG_EVERY == 0:
            progress.losses.append({"step": progress.step, **{k: sum(v) / len(v) for k, v in kept.items()}})
            kept = {}
        if progress.step % config.eval.every_steps == 0:
            run.score()
        if progress.step % config.save_every == 0:
            run.save()
    bar.close()
    run.save()
    if run.done >= 1 and progress.step % config.eval.every_steps:
        run.score()
    return run


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from output/state.pt where it exists")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace a value of the config")
    args = parser.parse_args(argv)
    overrides = {key: yaml.safe_load(value) for key, _, value in (item.partition("=") for item in args.set)}
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    launcher = ["python"] if processes == 1 else ["torchrun", "--nproc_per_node", str(processes)]
    command = shlex.join([*launcher, "-m", "training.train", *(argv if argv is not None else sys.argv[1:])])
    try:
        run = train(load_config(args.config, overrides), args.resume, command)
    except ValueError as error:
        sys.exit(f"training: {error}")
    if run.accelerator.is_main_process:
        best = run.output / "best.safetensors"
        print(f"{run.progress.step} steps, best dev gain {run.progress.best_score:+.3f} dB: {best}")


if __name__ == "__main__":
    main()
