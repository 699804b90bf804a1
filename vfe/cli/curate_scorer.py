"""Which scorer `vfe curate` has."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ..curation.scorers.endpoint import EndpointConfig
from ..curation.scorers.openai import OpenAIScorer
from ..curation.verdict import Scorer
from .parser import WrongUsage


@dataclass(frozen=True)
class OpenAIChoice:
    """Makes the scorer that asks an endpoint; it is pickled on its way to workers."""

    config: EndpointConfig

    def __call__(self) -> Scorer:
        """Make it. Raises VFEError as `OpenAIScorer` does."""
        return OpenAIScorer(self.config)


def scorer_choice(args: argparse.Namespace) -> OpenAIChoice:
    """Return what makes the scorer that was asked for. Raises WrongUsage and VFEError."""
    if args.scorer != "openai":
        raise WrongUsage(f"--scorer {args.scorer} is not built in; use --scorer openai")
    if not args.model:
        raise WrongUsage("--scorer openai needs the name of the --model that answers")
    return OpenAIChoice(EndpointConfig(model=args.model, base=args.endpoint, remote=args.remote))
