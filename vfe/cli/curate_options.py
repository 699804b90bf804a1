"""The options of `vfe curate`. Torch is not imported."""

from __future__ import annotations

import argparse

from ..curation.config import MASK_KINDS, ClipConfig
from ..curation.layouts import LAYOUTS
from .values import read_count, read_path

DEFAULTS = ClipConfig()
SCORERS = ("heuristic", "openai", "transformers")
ENDPOINT = "http://127.0.0.1:8000"
"""Where vLLM serves by default."""
KEEP_ABOVE = 90.0
"""The total of VividFace (section 3.3), above which a clip is kept."""


def add_curate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe curate`."""
    what = "videos, portraits, folders or quoted globs of them"
    parser.add_argument("inputs", type=read_path, nargs="*", metavar="VIDEOS", help=what)
    folder = "the folder of the training set; what is in it already goes on"
    parser.add_argument("-o", "--output", type=read_path, required=True, metavar="SET", help=folder)
    parser.add_argument("--jobs", type=read_count, metavar="N", help="processes at work at once (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="say what there is, and do nothing")
    finish = "only apply --keep-above to what is scored, and write manifest and sheet"
    parser.add_argument("--finish", action="store_true", help=finish)
    calibrate = "a CSV file with a clip and keep or drop a line: say how far scores agree, draw where they do not"
    parser.add_argument("--calibrate", type=read_path, metavar="LABELS", help=calibrate)
    _add_what(parser.add_argument_group("what is curated"))
    _add_cut(parser.add_argument_group("clips"))
    _add_scoring(parser.add_argument_group("scores"))


def _add_what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layout", choices=LAYOUTS, default="folder", help="how the files are laid out: those of a "
                       "data set with its crop lists, or any folder (default: folder)")  # fmt: skip
    group.add_argument("--frames", action="store_true", help="folders of images are clips, not portraits")
    group.add_argument("--open", action="store_true", help="weights trained on it may be given away (manifest: open)")
    group.add_argument("--licence", default="", metavar="TEXT", help="the licence of the footage, for the manifest")


def _add_cut(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--side", type=int, default=DEFAULTS.side, metavar="PX", help=f"of the clips (default: {DEFAULTS.side})"
    )
    least = f"shorter clips are left out; 4n+1 (default: {DEFAULTS.least_frames})"
    group.add_argument("--least-frames", type=int, default=DEFAULTS.least_frames, metavar="N", help=least)
    most = f"longer shots are divided; 4n+1 (default: {DEFAULTS.most_frames})"
    group.add_argument("--most-frames", type=int, default=DEFAULTS.most_frames, metavar="N", help=most)
    margin = f"around the box of all boxes, as a part of it (default: {DEFAULTS.margin:g})"
    group.add_argument("--margin", type=float, default=DEFAULTS.margin, metavar="M", help=margin)
    face = f"smaller faces are left out; pixels of the source (default: {DEFAULTS.least_face:g})"
    group.add_argument("--min-face", type=float, default=DEFAULTS.least_face, metavar="PX", help=face)
    mask = f"what masks cover (default: {DEFAULTS.mask})"
    group.add_argument("--mask", choices=MASK_KINDS, default=DEFAULTS.mask, help=mask)
    parsing = "facexlib's parsing_bisenet.pth, for --mask head (default: the one found, else the box is grown)"
    group.add_argument("--parsing", type=read_path, metavar="FILE", help=parsing)


def _add_scoring(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--keep-above", type=float, default=KEEP_ABOVE, metavar="N",
        help=f"clips with a total of more than N of 100 are kept (default: {KEEP_ABOVE:g})",
    )  # fmt: skip
    group.add_argument("--scorer", choices=SCORERS, default="heuristic", help="default: heuristic, without weights")
    group.add_argument("--model", metavar="NAME", help="the vision model of --scorer openai or transformers")
    address = f"where --scorer openai finds it, up to /v1 (default: {ENDPOINT}); a key is in VFE_CURATE_KEY"
    group.add_argument("--endpoint", default=ENDPOINT, metavar="URL", help=address)
    group.add_argument(
        "--remote", action="store_true", help="the endpoint may be another machine: faces are sent there"
    )
