"""The curves of a run: losses and dev scores as JSON and PNG, and for TensorBoard where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .checkpoints import Progress


def write_curves(folder: Path, progress: Progress) -> None:
    """Write curves.json and curves.png into `folder`."""
    curves = {"losses": progress.losses, "scores": progress.scores, "skipped": progress.skipped}
    (folder / "curves.json").write_text(json.dumps(curves, indent=1), encoding="utf-8")
    from matplotlib.figure import Figure  # the object interface needs no display

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, rows, title in zip(
        figure.subplots(1, 2), (progress.losses, progress.scores), ("loss", "dev"), strict=True
    ):
        for name in sorted({key for row in rows for key in row} - {"step"}):
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), marker="o" if len(points) == 1 else None, label=name)
        axes.set(title=title, xlabel="step")
        if axes.lines:
            axes.legend(fontsize="small")
    figure.savefig(folder / "curves.png", dpi=100)


def tensorboard_writer(folder: Path) -> Any:  # noqa: ANN401 - of an optional package
    """A SummaryWriter for `folder`, or None where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
