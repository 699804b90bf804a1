"""What the loop trains: a Stage owns models, data, losses and export; training/run/loop.py owns all the rest.

A stage is written without a thought of processes, precision or resuming, as long as it keeps four promises:
- data and choices depend on the seed, the step and the slot of the global batch alone (`Slots`, `Draw`);
- a loss term is a mean over the clips that it is given, so that the mean over processes is the mean over the batch;
- what is trained are the parameters of its players with requires_grad, and nothing else moves but in `after_step`;
- batches are NamedTuples or other immutable containers of tensors (wrappers of accelerate may rebuild them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """The choices of one step beside the data: functions of the seed, the step and the slot alone.

    Every player of a step gets a draw of its own that gives the same numbers. Not a dataclass: FSDP would take those
    apart in search of tensors.
    """

    def __init__(self, seed: int, step: int, progress: float, slots: Slots) -> None:
        self.step, self.progress, self.slots = step, progress, slots
        # Integers hash alike on every machine.
        self._generator = torch.Generator().manual_seed(hash((seed, step)) % 2**63)

    def uniform(self, count: int) -> Tensor:
        """(count,) on the CPU, in [0, 1), one for each clip in hand; another call gives other numbers.

        Drawn for the whole batch, of which these are the ones of this process's slots.
        """
        if count != self.slots.count:
            raise ValueError(f"{count} numbers asked for, needed one for each of the {self.slots.count} clips in hand")
        numbers = torch.rand(self.slots.total, generator=self._generator)
        return numbers[self.slots.first : self.slots.first + count]

    def common(self) -> float:
        """One number in [0, 1) for the whole step: the same in all slots and processes."""
        return float(torch.rand(1, generator=self._generator))


class Player(nn.Module):
    """Weights that one optimizer moves, and by which loss: `forward` gives its weighted terms, which the loop sums.

    Accelerate wraps this module, so the loss must be computed within forward. Frozen nets that it needs may be
    submodules with requires_grad False: they are moved to the device and neither averaged nor saved. Trained nets of
    another player must not be submodules (keep them in a tuple). Under `precision: bf16` all of forward runs in
    autocast: `full_precision` marks what must not.
    """

    def forward(self, batch: Any, draw: Draw) -> dict[str, Tensor]:  # noqa: ANN401 - the stage's own batch type
        raise NotImplementedError

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - for subclasses
        """Times the run's learning rate, for the parameter of that name."""
        return 1.0

    def rests(self, step: int) -> bool:  # noqa: ARG002 - for subclasses
        """Whether this player is left alone at this step, such as a discriminator before its time."""
        return False


class Stage(ABC):
    """One recipe. Subclasses are built as `SomeStage(config, device)` after the run's seed is set.

    `players`: one, or two for adversarial training (generator, discriminator), stepped in order on the same batch.
    `batch`: the global batch of one step. Evaluation, samples and export find the averaged weights of the first player
    in place and all players in eval mode.
    """

    players: tuple[Player, ...]
    batch: int
    notes: tuple[str, ...] = ()
    """Lines that the user is told at the start: which perceptual loss is used, say."""

    @abstractmethod
    def batches(self, start: int, slots: Slots) -> Iterable[tuple[Tensor, ...]]:
        """Endless batches from number `start` on: CPU tensors whose first axis are the clips of `slots`."""

    @abstractmethod
    def to_batch(self, raw: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - the stage's own batch type
        """What `batches` gave, already on the device, as the players take it."""

    def after_step(self, step: int) -> dict[str, float]:  # noqa: ARG002 - for subclasses
        """Called after each optimizer step: revival of dead codes, say. Gives values to log, averaged over the log
        interval. In several processes it must do the same in each."""
        return {}

    def evaluate(self) -> dict[str, float]:
        """Scores on dev data; `score` (higher is better) decides which file is kept. {} without dev data."""
        return {}

    def samples(self, folder: Path) -> None:  # noqa: B027 - optional
        """Write pictures to look at into `folder`, which exists."""

    @abstractmethod
    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write what users load, with `facts` (how it was made) and the stage's own as metadata; aside and renamed."""

    def state(self) -> dict[str, Any]:
        """What else an exact resume needs beside the players' weights and buffers: of types torch.load admits."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - optional
        """Take back what `state` gave."""


def full_precision(device: torch.device) -> torch.autocast:
    """Context for what must be computed in the dtype of its tensors: codecs, statistics and losses."""
    return torch.autocast(device.type, enabled=False)
