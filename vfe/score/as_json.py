"""Scores as JSON. docs/score.md says what each entry is."""

from __future__ import annotations

import json
import math
from typing import Any

from .. import __version__
from .metric import Scored
from .scores import ClipScores, Scores

FORMAT = "vfe-score-1"


def as_json(scores: Scores) -> str:
    """Return all figures with their reasons and curves, in ASCII; what is NaN is null."""
    return json.dumps(_numbers(scores), indent=1, allow_nan=False) + "\n"


def _numbers(scores: Scores) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "vfe": __version__,
        "figures": [figure._asdict() for figure in scores.figures],
        "mean": {
            side: {figure.name: _scored(scores.mean(side, figure)) for figure in scores.figures}
            for side in scores.sides
        },
        "clips": [_clip(scores, clip) for clip in scores.clips],
        "notes": list(scores.notes),
    }


def _clip(scores: Scores, clip: ClipScores) -> dict[str, Any]:
    figures = {
        side: {figure.name: _scored(clip.scored(side, figure)) for figure in scores.figures} for side in scores.sides
    }
    return {"name": clip.name, "frames": clip.frames, "error": clip.error or None, **figures}


def _scored(scored: Scored) -> dict[str, Any]:
    curve = [[frame, _finite(value)] for frame, value in scored.curve]
    return {"value": _finite(scored.value), "why": scored.why or None, **({"curve": curve} if curve else {})}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
