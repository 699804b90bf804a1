"""The smallest adversarial stage: two linear modules on noise, and everything a stage may have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training.run.config import OptimConfig, RunConfig
from training.run.stage import Draw, Slots, Stage, StepOutput, TrainableModule

CLIPS, WIDTH = 4, 6


def toy_config(output: Path, **changes: Any) -> RunConfig:  # noqa: ANN401
    optim = OptimConfig(lr=0.01, warmup_steps=0, ema=0.9)
    values = {"stage": "toy", "output": str(output), "steps": 6, "precision": "no", "workers": 0, "optim": optim}
    return RunConfig(**{**values, **changes})


def rows(number: int) -> Tensor:
    """(CLIPS, WIDTH): the whole batch of a number."""
    return torch.randn(CLIPS, WIDTH, generator=torch.Generator().manual_seed(number))


class Generator(TrainableModule):
    """Fools the discriminator, on a random half of the clips, and hands it what it made.

    `noisy` adds dropout, which draws from torch's own generator.
    """

    def __init__(self, discriminator: nn.Module, noisy: bool) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5 if noisy else 0.0)
        self.frozen = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self._discriminator = (discriminator,)

    def forward(self, batch: Tensor, draw: Draw) -> StepOutput:
        made = self.layer(self.dropout(batch))
        weight = (draw.uniform(len(batch)) < 0.5).float() + draw.common()
        fooled = -(weight * self._discriminator[0](made)[:, 0]).mean()
        terms = {"fit": (made - self.frozen(batch)).square().mean(), "fooled": 0.1 * fooled}
        return StepOutput(terms, next_batch=made.detach())


class ToyDiscriminator(TrainableModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, 1)

    def rate_of(self, name: str) -> float:
        return 0.25 if name.endswith("bias") else 0.5

    def forward(self, batch: Tensor, draw: Draw) -> StepOutput:  # noqa: ARG002
        return StepOutput({"discriminator": self.layer(batch).square().mean() + self.layer(batch).mean()})

    def rests(self, step: int) -> bool:
        return step < 2


class ToyStage(Stage):
    noisy = False

    def __init__(self, config: RunConfig, device: torch.device) -> None:  # noqa: ARG002
        self.batch = CLIPS
        discriminator = ToyDiscriminator()
        self.trainables = (Generator(discriminator.layer, self.noisy), discriminator)
        self.seen = 0

    def batches(self, start: int, slots: Slots) -> Iterator[tuple[Tensor, ...]]:
        for number in count(start):
            yield (rows(number)[slots.first : slots.first + slots.count],)

    def to_batch(self, raw: tuple[Tensor, ...]) -> Tensor:
        return raw[0]

    def after_step(self, step: int) -> dict[str, float]:
        self.seen += step
        return {"seen": float(self.seen)}

    def evaluate(self) -> dict[str, float]:
        torch.rand(7)  # scoring may use the generator: training must not notice
        assert not self.trainables[0].training
        assert not torch.is_grad_enabled()
        return {"score": -float(self.trainables[0](rows(0), Draw(0, 0, 0.0, Slots(0, CLIPS, CLIPS))).terms["fit"])}

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        weights = {name: value.contiguous() for name, value in self.trainables[0].state_dict().items()}
        save_file(weights, path, {name: str(value) for name, value in facts.items()})

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state(self, state: dict[str, Any]) -> None:
        self.seen = state["seen"]


class NoisyStage(ToyStage):
    noisy = True
