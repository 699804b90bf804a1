"""Time and memory of a step of W2SVD on Wan2.1-T2V-1.3B beside plain fine-tuning, on a GPU that one has for minutes.

    python -m training.burst.w2svd_step --out runs/gpu/w2svd.json

Weights are random, the clip is 17 x 256 x 256 of noise, the student a LoRA as in distill_w2svd_wan.yaml. A step of the
student and one of the fake score are measured by themselves, as the fake score takes five to one of the student's. It
needs peft beside torch, einops, safetensors and numpy. `--tiny` rehearses it on a CPU, where no memory is measured.

B clips, t h w latent grid; z latent (B, 16, t, h, w).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.flow import OneStepFlow

from ..distill.batch import DistillBatch
from ..distill.method import StudentWithLoss, with_additions
from ..distill.methods.w2svd import W2svdConfig, W2svdTerm
from ..distill.restorer import LatentRestorer
from ..distill.scores import FakeConfig
from ..distill.task import TaskLoss
from ..distill.teacher import Teacher, TeacherConfig
from ..losses.terms import LossConfig
from ..one_step import OneStepDiT
from ..run.recompute import checkpoint_blocks
from ..run.stage import Draw, Slots, TrainableModule
from ..wan.lora import LoraConfig, add_lora
from .precision import fast_autocast

GRID, TINY_GRID = (5, 32, 32), (2, 4, 4)
PROMPT_ROWS = 1  # of the empty prompt
TINY = DiTConfig(dim=32, heads=2, layers=2, ffn_dim=64, freq_dim=16, text_dim=8)


class LatentsOnly:
    """The Wan VAE's grid; there is no video to encode or to decode."""

    time, space = 4, 8

    def encode(self, video: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def same_latents(self, other: object) -> bool:
        return isinstance(other, LatentsOnly)


class RandomRestorer(LatentRestorer):
    """A restorer of latents alone, which no file holds."""

    def __init__(self, model: OneStepDiT) -> None:
        super().__init__(model, LatentsOnly())

    def prepare(self, device: torch.device, half: bool) -> None:
        raise NotImplementedError

    def restore_video(self, video: Tensor) -> Tensor:
        raise NotImplementedError

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        raise NotImplementedError


class RandomTeacher(Teacher):
    """A flow model of random weights."""

    def __init__(self, model: OneStepDiT) -> None:
        self.config = TeacherConfig(kind="flow", lite="random")
        self.net = RandomRestorer(model.eval().requires_grad_(False))
        self._last = None


def student_and_teacher(config: DiTConfig, lora: LoraConfig, device: torch.device) -> tuple[LatentRestorer, Teacher]:
    """A student with a LoRA, whose blocks are recomputed in the backward pass, on the weights of a flow model."""
    torch.manual_seed(0)
    with torch.device(device):
        dit = WanDiT(config)
        prompt = torch.randn(1, PROMPT_ROWS, config.text_dim)
    flow = OneStepDiT(deepcopy(dit), prompt, OneStepFlow())
    add_lora(dit, lora)
    checkpoint_blocks(dit.blocks)
    return RandomRestorer(OneStepDiT(dit, prompt, OneStepFlow()).train()), RandomTeacher(flow)


def random_batch(grid: tuple[int, int, int], device: torch.device) -> DistillBatch:
    """One pair of latents of noise; its video is never looked at."""
    z_lq, z_hq = torch.randn(2, 1, 16, *grid, device=device)
    nothing = torch.zeros(1, 3, 1, 1, 1, device=device)
    frames, side = 4 * (grid[0] - 1) + 1, 8 * grid[1]
    mask = torch.ones(1, 1, frames, side, side, device=device)
    return DistillBatch(z_lq, z_hq, nothing, nothing, mask, torch.ones(1, dtype=torch.bool, device=device))


def step_of(module: TrainableModule, batch: DistillBatch) -> Callable[[], None]:
    """A step of AdamW on one module, in the number format of a burst."""
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-5)

    def step() -> None:
        with fast_autocast(batch.z_lq.device):
            terms = module(batch, Draw(0, 0, 0.0, Slots(0, 1, 1))).terms
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measured(step: Callable[[], None], device: torch.device, rounds: int) -> dict[str, float]:
    """The shortest time of a step in seconds, and the most memory that was taken, in GiB, on a GPU."""
    on_gpu = device.type == "cuda"
    step()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(rounds):
        started = perf_counter()
        step()
        if on_gpu:
            torch.cuda.synchronize(device)
        seconds.append(perf_counter() - started)
    found = {"seconds": min(seconds)}
    return found | {"peak_gib": torch.cuda.max_memory_allocated(device) / 2**30} if on_gpu else found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tiny", action="store_true", help="small networks, for rehearsals")
    args = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lora = LoraConfig(rank=4, alpha=4.0) if args.tiny else LoraConfig()
    student, teacher = student_and_teacher(TINY if args.tiny else DiTConfig(), lora, device)
    batch = random_batch(TINY_GRID if args.tiny else GRID, device)
    task = TaskLoss(LossConfig(space="latent", face_mean="frame"), student.codec)
    found = {"plain": measured(step_of(StudentWithLoss(student, task, []), batch), device, args.rounds)}
    term = W2svdTerm(W2svdConfig(fake=FakeConfig(lora=lora)), student, teacher, checkpointing=True)
    for name, module in zip(("student", "fake"), with_additions(student, task, [term]).trainables, strict=True):
        found[f"w2svd {name}"] = measured(step_of(module, batch), device, args.rounds)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, figures in found.items():
        print(name, "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
