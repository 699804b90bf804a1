"""`vfe embed-prompt`: run the text encoder once and keep the prompt embedding that it gives."""

from __future__ import annotations

import argparse
import sys

from ..text.embed import embed_prompt_to_file
from ..types import VFEError
from .percent import PercentLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """Write the file of the prompt embedding; VFEError and OSError for what cannot be done.

    Takes encoder, output, prompt, tokenizer and overwrite from `args`.
    """
    if args.output.exists() and not args.overwrite:
        raise VFEError(f"{args.output}: exists already; give another name or --overwrite")
    progress = PercentLine(sys.stderr, "encoding the prompt")
    try:
        rows = embed_prompt_to_file(args.encoder, args.output, args.prompt, args.tokenizer, progress)
    finally:
        progress.clear()
    tokens, width = rows.shape
    size = args.output.stat().st_size / 1e3
    say(f"prompt embedding of {tokens} token{'' if tokens == 1 else 's'} x {width}, {size:.1f} KB: {args.output}")
