"""`vfe degrade`: the damaged twin of a clean clip, or of a folder of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..batch.clips import find_clips
from ..degradations.files import STORED_CRF, degrade_file, seed_of
from ..degradations.presets import PRESETS, preset_family
from ..types import VFEError
from ..video.write import SinkConfig
from .parser import WrongUsage
from .progress import ProgressLine
from .text import one_line_name, say


def run(args: argparse.Namespace) -> None:
    """Write the twins, or list the presets; VFEError and OSError for what cannot be done."""
    if args.list:
        width = max(len(preset.name) for preset in PRESETS)
        for preset in PRESETS:
            say(f"{preset.name:{width}}  {preset.source}")
        return
    lacking = [name for name in ("clean", "output", "preset") if getattr(args, name) is None]
    if lacking:
        raise WrongUsage(f"needed are CLEAN, -o LQ and --preset NAME; {lacking[0]} is missing")
    if args.seed < 0 or (args.frames is not None and args.frames < 1):
        raise WrongUsage(f"--seed {args.seed}, --frames {args.frames}: needed are 0 and more, 1 and more")
    family = preset_family(args.preset)
    sink = SinkConfig(crf=STORED_CRF if args.crf is None else args.crf, overwrite=args.overwrite)
    for clean, twin, seed in _work(args):
        progress = ProgressLine(sys.stderr)
        try:
            frames = degrade_file(clean, twin, family, seed, sink, frames=args.frames, on_progress=progress)
        finally:
            progress.clear()
        say(f"{frames} frame{'' if frames == 1 else 's'}, {args.preset}, seed {seed}: {one_line_name(twin)}")


def _work(args: argparse.Namespace) -> list[tuple[Path, Path, int]]:
    """Return the clips, their twins and their seeds."""
    found = find_clips(args.clean, args.output)
    if found is None:
        return [(args.clean, args.output, args.seed)]
    if not found.clips:
        raise VFEError(f"{args.clean}: holds no clip; needed are videos or folders of images")
    if args.output.exists() and not args.output.is_dir():
        raise VFEError(f"{args.output}: is a file; the twins of a folder need a folder")
    work: list[tuple[Path, Path, int]] = []
    for clip in found.clips:
        twin = args.output / (clip.name if clip.path.is_dir() else clip.name.with_suffix(".mp4"))
        if any(twin == other for _, other, _ in work):
            raise VFEError(f"{twin}: would be the twin of two clips that differ in their ending; rename one of them")
        twin.parent.mkdir(parents=True, exist_ok=True)
        work.append((clip.path, twin, seed_of(clip.name.with_suffix("").as_posix(), args.seed)))
    return work
