"""Loss and dev curves of a run as JSON and PNG."""

from __future__ import annotations

import json
from pathlib import Path

from .state import Progress


def write_curves(folder: Path, progress: Progress) -> None:
    """Write curves.json and curves.png into `folder`."""
    (folder / "curves.json").write_text(json.dumps({"losses": progress.losses, "scores": progress.scores}, indent=1))
    from matplotlib.figure import Figure  # the object interface needs no display

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, rows, title in zip(
        figure.subplots(1, 2), (progress.losses, progress.scores), ("loss", "dev"), strict=True
    ):
        for name in sorted({key for row in rows for key in row} - {"step"}):
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), label=name)
        axes.set(title=title, xlabel="step")
        if rows:
            axes.legend(fontsize="small")
    figure.savefig(folder / "curves.png", dpi=100)
