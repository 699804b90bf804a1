"""Scores beside what people chose: how far they agree, from which total on a clip is likely good, where they differ.

VividFace tells of a lightweight calibration with people in the loop, and of no more than that; this one is ours.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..types import VFEError

WORDS = {"keep": True, "1": True, "yes": True, "drop": False, "0": False, "no": False}
PRECISION = 0.9


@dataclass(frozen=True)
class Choice:
    """A clip by its name, its total, and whether people keep it."""

    clip: str
    total: float
    keep: bool


@dataclass(frozen=True)
class Calibration:
    """What choices come to. `fitted` is the isotonic fit, the share that people keep, for each of `choices`."""

    choices: tuple[Choice, ...]
    """By rising totals."""
    fitted: tuple[float, ...]
    agreement: float
    """The share of clips on which fit and people agree, a fit of at least one half taken for keep."""
    threshold: float | None
    """The least `--keep-above` for which at least PRECISION of what it keeps is kept by people; None where there is
    none."""

    @property
    def disagreements(self) -> list[Choice]:
        """The clips on which fit and people differ the most, the worst first."""
        apart = [abs(fit - choice.keep) for fit, choice in zip(self.fitted, self.choices, strict=True)]
        order = sorted(range(len(apart)), key=lambda index: -apart[index])
        return [self.choices[index] for index in order if apart[index] > 0.5]


def read_labels(path: Path) -> dict[str, bool]:
    """Return which clips people keep, of a CSV file with a clip's name, or that of its file, and keep or drop a line.

    A first line of headings is passed over. Raises VFEError for anything else, and OSError.
    """
    labels: dict[str, bool] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise VFEError(f"{path}: is no CSV file: {error}") from error
    for number, row in enumerate(rows, start=1):
        word = row[1].strip().lower() if len(row) > 1 else ""
        if word in WORDS:
            labels[Path(row[0].strip()).stem] = WORDS[word]
        elif number > 1:
            raise VFEError(f"{path}: row {number} has {row[1:2]}, needed a clip's name, and keep or drop")
    return labels


def calibrate(totals: Mapping[str, float], labels: Mapping[str, bool]) -> Calibration:
    """Return how totals and labels go together. Raises VFEError unless people keep and drop some of the clips."""
    choices = sorted(
        (Choice(clip, totals[clip], keep) for clip, keep in labels.items() if clip in totals),
        key=lambda choice: (choice.total, choice.clip),
    )
    kept = sum(choice.keep for choice in choices)
    if not 0 < kept < len(choices):
        raise VFEError(
            f"labels keep {kept} of {len(choices)} clips that have a score; needed are kept and dropped ones"
        )
    fitted = isotonic([choice.total for choice in choices], [float(choice.keep) for choice in choices])
    agree = sum((fit >= 0.5) == choice.keep for fit, choice in zip(fitted, choices, strict=True))
    return Calibration(tuple(choices), tuple(fitted), agree / len(choices), _threshold(choices))


def isotonic(at: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return the rising fit of least squares to values at rising places, by pooling of adjacent violators.

    Values at one place are pooled first.
    """
    pools: list[tuple[float, int]] = []  # mean and count
    for index, value in enumerate(values):
        mean, count = value, 1
        tied = index > 0 and at[index] == at[index - 1]
        while pools and (tied or pools[-1][0] > mean):
            before, weight = pools.pop()
            mean, count = (before * weight + mean * count) / (weight + count), weight + count
            tied = False
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]


def _threshold(choices: Sequence[Choice]) -> float | None:
    """The least total, over which clips are kept, with enough precision; 0 where all clips may be."""
    for threshold in sorted({0.0, *(choice.total for choice in choices)}):
        above = [choice.keep for choice in choices if choice.total > threshold]
        if above and sum(above) / len(above) >= PRECISION:
            return threshold
    return None
