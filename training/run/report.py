"""What a run reports while it runs: lines on stderr, means of the loss terms, and TensorBoard where it is installed."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from .curves import tensorboard_writer


class Report:
    """Lines and curves of one run. All processes hold one; only that of the main process writes anything."""

    def __init__(self, accelerator: Accelerator, folder: Path) -> None:
        self.accelerator = accelerator
        self.board = tensorboard_writer(folder / "tensorboard") if accelerator.is_main_process else None
        self._terms: dict[str, list[Tensor]] = defaultdict(list)
        if self.board is None:
            self.tell("tensorboard is not installed: curves go to curves.json and curves.png alone")

    def tell(self, line: str) -> None:
        """Write a line to stderr, above the progress bar."""
        if self.accelerator.is_main_process:
            tqdm.write(line, file=sys.stderr)

    def add_terms(self, terms: Mapping[str, Tensor | float]) -> None:
        """Add loss terms, or other values of a step, to the means of the present log interval."""
        for name, value in terms.items():
            term = value.detach().float() if isinstance(value, Tensor) else torch.tensor(float(value))
            self._terms[name].append(term)

    def means(self) -> dict[str, float]:
        """Means since the last call, over steps and processes; values that are not finite are left out."""
        means = {}
        for name, values in sorted(self._terms.items()):
            stacked = torch.stack([value.to(self.accelerator.device) for value in values])
            every = self.accelerator.gather(stacked)
            finite = every[torch.isfinite(every)]
            means[name] = float(finite.mean()) if len(finite) else float("nan")
        self._terms.clear()
        return means

    def plot(self, kind: str, values: Mapping[str, float], step: int) -> None:
        """Add a point to each of the TensorBoard curves `kind`/name."""
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Write what TensorBoard still buffers."""
        if self.board is not None:
            self.board.close()
