"""What the loop trains. A `Stage` owns networks, data, losses and export; training/run/loop.py owns all the rest.

A stage is written without a thought of processes, precision or resuming, as long as it keeps four promises:
- data and random choices depend on the seed, the step and the slot of the global batch alone (`Slots`, `Draw`);
- a loss term is a mean over the clips that it is given, so that the mean over processes is the mean over the batch;
- the trained weights are the parameters of its `trainables` with requires_grad, and nothing else changes but in
  `after_step`;
- batches are NamedTuples or other immutable containers of tensors (wrappers of accelerate may rebuild them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Slots:
    """A contiguous part of the global batch: slots `first` to `first + count` of `total`."""

    first: int
    count: int
    total: int

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.first + self.count))

    def part(self, index: int, parts: int) -> Slots:
        """The `index`-th of `parts` equal parts. Raises ValueError where they would not be equal."""
        if self.count % parts:
            raise ValueError(
                f"a batch of {self.count} cannot be shared equally by {parts}: processes times `accumulate` "
                "must divide the batch (data.batch is the global batch of one step)"
            )
        size = self.count // parts
        return Slots(self.first + index * size, size, self.total)


class Draw:
    """The random choices of one step beside the data: functions of the seed, the step and the slot alone.

    Every module of a step gets a draw of its own that gives the same numbers. This is no dataclass, as FSDP would take
    a dataclass apart in search of tensors.
    """

    def __init__(self, seed: int, step: int, progress: float, slots: Slots) -> None:
        self.step, self.progress, self.slots = step, progress, slots
        # Integers hash alike on every machine.
        self._generator = torch.Generator().manual_seed(hash((seed, step)) % 2**63)

    def uniform(self, count: int) -> Tensor:
        """(count,) on the CPU, in [0, 1), one number for each clip in hand; another call gives other numbers.

        The numbers are drawn for the whole batch, and those of this process's slots are returned. Raises ValueError
        where `count` is not the number of these slots.
        """
        if count != self.slots.count:
            raise ValueError(f"{count} numbers asked for, needed one for each of the {self.slots.count} clips in hand")
        numbers = torch.rand(self.slots.total, generator=self._generator)
        return numbers[self.slots.first : self.slots.first + count]

    def noise(self, like: Tensor) -> Tensor:
        """Normal noise of the shape, dtype and device of `like` (B, ...), whose first axis are the clips in hand.

        Another call gives other noise. Raises ValueError where there are more or fewer clips than slots.
        """
        if len(like) != self.slots.count:
            raise ValueError(f"noise for {len(like)} clips asked for, needed for the {self.slots.count} clips in hand")
        call = int(torch.randint(2**62, (1,), generator=self._generator))
        drawn = [
            torch.randn(like.shape[1:], generator=torch.Generator().manual_seed(hash((call, slot)) % 2**63))
            for slot in self.slots
        ]
        return torch.stack(drawn).to(like)

    def common(self) -> float:
        """One number in [0, 1) for the whole step: the same in all slots and processes."""
        return float(torch.rand(1, generator=self._generator))


class StepOutput(NamedTuple):
    """What `TrainableModule.forward` returns."""

    terms: dict[str, Tensor]
    """Weighted loss terms by name, each a scalar; the loop minimises their sum."""
    next_batch: Any = None
    """What the modules after this one are given in the same step instead of the batch, such as real and generated clips
    for a discriminator. None leaves them the batch."""


class TrainableModule(nn.Module):
    """A network together with its loss: the weights that one optimizer moves.

    Accelerate wraps this module, so the loss must be computed within forward. Frozen networks that it needs may be
    submodules with requires_grad False: they are moved to the device, and neither averaged nor saved. Networks that
    another `TrainableModule` trains must not be submodules; a tuple holds them out of `nn.Module`'s sight. Under
    `precision: bf16` all of forward runs in autocast: `full_precision` marks what must not.
    """

    def forward(self, batch: Any, draw: Draw) -> StepOutput:  # noqa: ANN401 - the stage's own batch type
        raise NotImplementedError

    def lend(self) -> None:
        """Do nothing: FSDP makes all weights ready when it is called, as for forward, and other modules then use them
        (`lent` in training/run/distributed.py)."""

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - for subclasses
        """The factor by which the parameter of that name multiplies the run's learning rate."""
        return 1.0

    def rests(self, step: int) -> bool:  # noqa: ARG002 - for subclasses
        """Whether this module is left out of this step, as a discriminator is at the start of a run.

        A module that hands on a `next_batch` must not rest, as the modules after it would be given another batch.
        """
        return False


class Stage(ABC):
    """One training recipe. The loop builds subclasses as `SomeStage(config, device)` after it has set the run's seed.

    `trainables` is one module, or two for adversarial training (generator, then discriminator), which are stepped in
    order on the same batch. `batch` is the number of clips of one step, over all processes. During evaluation, samples
    and export the first module holds its exponential moving average, and all modules are in eval mode.
    """

    trainables: tuple[TrainableModule, ...]
    batch: int
    notes: tuple[str, ...] = ()
    """Lines that the user is told at the start, such as which perceptual loss is used."""

    @abstractmethod
    def batches(self, start: int, slots: Slots) -> Iterable[tuple[Tensor, ...]]:
        """Endless batches from number `start` on: CPU tensors whose first axis are the clips of `slots`."""

    @abstractmethod
    def to_batch(self, raw: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - the stage's own batch type
        """Turn what `batches` gave, which is on the device by now, into what the first module's forward takes."""

    def after_step(self, step: int) -> dict[str, float]:  # noqa: ARG002 - for subclasses
        """Change what no optimizer moves, such as dead codebook entries; called after each step.

        Returns values to log, which are averaged over the log interval. In several processes it must do the same in
        each.
        """
        return {}

    def evaluate(self) -> dict[str, float]:
        """Scores on dev data; `score` (higher is better) decides which weights are the best. {} without dev data."""
        return {}

    def samples(self, folder: Path) -> None:  # noqa: B027 - optional
        """Write pictures to look at into `folder`, which exists."""

    @abstractmethod
    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the file that users load, with `facts` (how it was made) and the stage's own facts as metadata.

        The file is written under another name and renamed, so that `path` is a complete file or none.
        """

    def state(self) -> dict[str, Any]:
        """What an exact resume needs beside the modules' weights and buffers, of types that torch.load admits."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - optional
        """Restore what `state` returned."""


def full_precision(device: torch.device) -> torch.autocast:
    """Context for what must be computed in the dtype of its tensors: codecs, statistics and losses."""
    return torch.autocast(device.type, enabled=False)
