"""The options of `vfe score` and `vfe degrade`. Torch is not imported."""

from __future__ import annotations

import argparse

from ..score.options import PACKS
from .values import read_path as _path

ALL_PACKS = "all"


def add_score(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe score`."""
    parser.add_argument("result", type=_path, metavar="RESULT", help="what is scored: a clip, or a folder of clips")
    compared = parser.add_argument_group("what it is compared with: a clip, or a folder of clips of the same names")
    compared.add_argument("--reference", type=_path, metavar="CLEAN", help="the clean clip that it should be")
    compared.add_argument("--input", type=_path, metavar="LQ", help="what it was made from, which is scored beside it")
    compared.add_argument("--labels", type=_path, metavar="DIR", help="label files that say where the face is")
    compared.add_argument("--frames", type=int, metavar="N", help="score only the first N frames of each clip")
    packs = parser.add_argument_group("metrics that need weights or packages of yours")
    packs.add_argument(
        "--pack", action="append", default=[], choices=PACKS, metavar="|".join(PACKS), help="may be given several times"
    )
    packs.add_argument("--weights", type=_path, metavar="DIR", help="folder of their files, by their published names")
    packs.add_argument("--every", type=int, default=1, metavar="N", help="their networks see every N-th frame")
    packs.add_argument("--device", default="cpu", metavar="D", help="where they run (default: cpu)")
    output = parser.add_argument_group("beside the table")
    for form, what in (("json", "everything, with curves"), ("csv", "a row a clip"), ("html", "a page with plots")):
        output.add_argument(f"--{form}", type=_path, metavar="FILE", help=f"also write {what}")
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")


def add_degrade(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe degrade`."""
    parser.add_argument("clean", type=_path, nargs="?", metavar="CLEAN", help="a clean clip, or a folder of clips")
    parser.add_argument("-o", "--output", type=_path, metavar="LQ", help="the damaged twin, or a folder of them")
    parser.add_argument("--preset", metavar="NAME", help="how it is damaged; --list says which there are")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same gives the same bytes (default: 0)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each clip")
    parser.add_argument("--crf", type=int, metavar="N", help="how the twin is stored, nearly lossless (default: 4)")
    parser.add_argument("--list", action="store_true", help="list the presets and their sources")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
