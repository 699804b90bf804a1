"""`vfe curate -o SET --calibrate LABELS`: scores beside what people chose."""

from __future__ import annotations

from pathlib import Path

from ..curation.calibrate import PRECISION, calibrate, read_labels
from ..curation.manifest import decide
from ..curation.record import Record
from ..curation.sheet import write_disagreements
from ..files.aside import written_aside
from .text import say

SHEET = "calibration.png"


def show_calibration(folder: Path, labels: Path) -> None:
    """Say how far the scores of a set agree with labels, and draw where they do not.

    Raises VFEError for labels that are none, or too few, and OSError.
    """
    outcome = decide(folder, Record(folder), 0.0)
    judged = {one.line.clip: one for one in outcome.kept + outcome.dropped}
    found = calibrate({clip: one.line.total for clip, one in judged.items()}, read_labels(labels))
    say(f"{len(found.choices)} clips with a label and a score; they agree on {found.agreement:.0%}")
    for choice, fit in zip(found.choices, found.fitted, strict=True):
        say(f"  {choice.clip}  {choice.total:5.1f}  people {'keep' if choice.keep else 'drop'} it, of such {fit:.0%}")
    if found.threshold is None:
        say(f"no --keep-above keeps {PRECISION:.0%} good clips: the scores do not follow these labels")
    else:
        say(f"--keep-above {found.threshold:g}: of what it keeps, people keep {PRECISION:.0%} or more")
    with written_aside(folder / SHEET) as aside:
        write_disagreements(aside, folder, [(judged[choice.clip], choice.keep) for choice in found.disagreements])
    say(f"{folder / SHEET}: the {len(found.disagreements)} clips on which they differ the most")
