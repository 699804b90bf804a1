"""Which scorer `vfe curate` has."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from ..curation.scorers.endpoint import EndpointConfig
from ..curation.scorers.heuristic.scorer import HeuristicScorer
from ..curation.scorers.openai import OpenAIScorer
from ..curation.scorers.qwen import QwenConfig, QwenScorer
from ..curation.verdict import Scorer
from .parser import WrongUsage

ScorerChoice = Callable[[], Scorer]
"""Makes a scorer; it is pickled on its way to workers."""


@dataclass(frozen=True)
class OpenAIChoice:
    """Makes the scorer that asks an endpoint."""

    config: EndpointConfig

    def __call__(self) -> Scorer:
        """Make it. Raises VFEError as `OpenAIScorer` does."""
        return OpenAIScorer(self.config)


@dataclass(frozen=True)
class QwenChoice:
    """Makes the scorer that has the model itself."""

    config: QwenConfig

    def __call__(self) -> Scorer:
        """Make it; the model is read with the first clip."""
        return QwenScorer(self.config)


def scorer_choice(args: argparse.Namespace) -> ScorerChoice:
    """Return what makes the scorer that was asked for. Raises WrongUsage and VFEError."""
    if args.scorer == "openai":
        if not args.model:
            raise WrongUsage("--scorer openai needs the name of the --model that answers")
        return OpenAIChoice(EndpointConfig(model=args.model, base=args.endpoint, remote=args.remote))
    if args.scorer == "transformers":
        return QwenChoice(QwenConfig(model=args.model) if args.model else QwenConfig())
    if args.model:
        raise WrongUsage("--model is for --scorer openai or transformers: the heuristic has none")
    return HeuristicScorer
