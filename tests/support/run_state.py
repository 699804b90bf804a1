"""All that training has moved in a run, to be compared to the bit."""

from __future__ import annotations

from torch import Tensor

from training.run.loop import Run


def state_of(run: Run) -> list[Tensor]:
    """The weights of all modules, the first one's average, and the moments of all optimizers."""
    weights = [value for module in run.stage.trainables for value in module.state_dict().values()]
    moments = [v for o in run.optimizers for s in o.state_dict()["state"].values() for v in s.values()]
    return [*weights, *run.average.values, *moments]
