"""What was scored: the figures of each clip, and their means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .metric import Figure, Scored

RESULT, INPUT = "result", "input"
"""The two versions of a clip that are scored; the second only where it is given."""


@dataclass(frozen=True)
class ClipScores:
    """The figures of one clip: {result or input: {figure: what was scored}}."""

    name: str
    frames: int
    sides: Mapping[str, Mapping[str, Scored]]
    error: str = ""
    """Why the clip could not be scored, in a sentence; it has no figures then."""

    def scored(self, side: str, figure: Figure) -> Scored:
        """Return a figure; NaN and the error where the clip could not be scored."""
        return Scored(math.nan, self.error) if self.error else self.sides[side][figure.name]


@dataclass(frozen=True)
class Scores:
    """All clips, and figures that are of all together."""

    figures: Sequence[Figure]
    sides: Sequence[str]
    clips: Sequence[ClipScores]
    of_set: Mapping[tuple[str, str], Scored] = field(default_factory=dict)
    """By (side, figure)."""
    notes: Sequence[str] = ()

    def mean(self, side: str, figure: Figure) -> Scored:
        """Return the mean over the clips that have the figure; what is of all together is no mean."""
        if (side, figure.name) in self.of_set:
            return self.of_set[side, figure.name]
        found = [clip.scored(side, figure) for clip in self.clips]
        values = [scored.value for scored in found if not math.isnan(scored.value)]
        if not values:
            return Scored(math.nan, next((scored.why for scored in found if scored.why), "no clip was scored"))
        left_out = len(found) - len(values)
        why = f"{left_out} of {len(found)} clips have none" if left_out else ""
        return Scored(sum(values) / len(values), why)

    def reasons(self) -> list[str]:
        """Return, once each, why figures are missing or what to know of them."""
        lines: dict[str, None] = {}
        for clip in self.clips:
            if clip.error:
                lines[f"{clip.name}: {clip.error}"] = None
                continue
            for side in self.sides:
                for figure in self.figures:
                    scored = clip.scored(side, figure)
                    if scored.why:
                        whose = "" if math.isnan(scored.value) else f" of {clip.name}"
                        lines[f"{figure.name}{whose}: {scored.why}"] = None
        for (_, name), scored in self.of_set.items():
            if scored.why:
                lines[f"{name}: {scored.why}"] = None
        return list(lines)
