"""`vfe score`: how good a restored clip is, or a folder of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..files.aside import written_aside
from ..score.as_json import as_json
from ..score.options import ScoreOptions
from ..score.page import page
from ..score.pairs import find_pairs
from ..score.run import Scoring
from ..score.scores import Scores
from ..score.table import csv_text, markdown
from ..types import VFEError
from .progress import ProgressLine
from .text import say

Form = Callable[[Scores], str]
FORMS: dict[str, Form] = {"json": as_json, "csv": csv_text, "html": page}


def run(args: argparse.Namespace) -> None:
    """Score and say so; VFEError and OSError for what cannot be done, and at the end where a clip could not be."""
    outputs = {form: path for form in FORMS if (path := getattr(args, form)) is not None}
    _check_outputs(outputs, args.overwrite)
    options = ScoreOptions(
        packs=tuple(dict.fromkeys(args.pack)),
        weights=args.weights,
        labels=args.labels,
        frames=args.frames,
        every=args.every,
        device=args.device,
    )
    pairs = find_pairs(args.result, args.reference, args.input)
    progress = ProgressLine(sys.stderr)
    try:
        scores = Scoring(options, pairs).run(progress)
    finally:
        progress.clear()
    for form, path in outputs.items():
        with written_aside(path) as aside:
            aside.write_text(FORMS[form](scores), encoding="utf-8")
    say(markdown(scores))
    failed = [clip.name for clip in scores.clips if clip.error]
    if failed:
        raise VFEError(f"{len(failed)} of {len(scores.clips)} clips could not be scored; the notes above say why")


def _check_outputs(outputs: dict[str, Path], overwrite: bool) -> None:
    """Raise VFEError before the long work where a file cannot be written."""
    for path in outputs.values():
        if path.is_dir():
            raise VFEError(f"{path}: is a folder; give a file")
        if path.exists() and not overwrite:
            raise VFEError(f"{path}: exists; give another name, or --overwrite to replace it")
        if not path.absolute().parent.is_dir():
            raise VFEError(f"{path.parent}: there is no such folder; make it first")
    if len({path.resolve() for path in outputs.values()}) < len(outputs):
        raise VFEError("two of --json, --csv and --html name one file; give each its own")
