"""What the command line takes. No torch here: help and usage errors answer at once."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NoReturn

from .. import __version__
from ..options import CODECS, RestoreOptions

EXAMPLES = """examples:
  vfe enhance clip.mp4 -o restored.mp4
  vfe enhance clip.mp4 -o restored.mkv --codec ffv1 --size 512x512 --compare side_by_side.mp4
  vfe enhance 'frames/*.png' -o restored_frames --strength 0.7
  vfe compare clip.mp4 restored.mp4 -o side_by_side.png
  vfe info clip.mp4
"""


class Parser(argparse.ArgumentParser):
    """Reports usage errors in one line, with the same prefix for every subcommand."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"vfe: error: {message} (see `{self.prog} --help`)\n")


def build_parser() -> Parser:
    """The parser of `vfe`; `command` in its result is enhance, compare or info."""
    parser = Parser(
        prog="vfe",
        description="Video face enhancement: restore faces in video, one step per frame.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vfe {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="enhance|compare|info", parser_class=Parser)
    _add_enhance(commands.add_parser("enhance", help="restore a video, an image, or a folder or glob of images"))
    _add_compare(commands.add_parser("compare", help="put two videos or images side by side"))
    info = commands.add_parser("info", help="versions, devices and models; or what a video or model file is")
    info.add_argument("file", nargs="?", type=_path, metavar="FILE", help="a video, an image or a .safetensors file")
    return parser


def options_of(args: argparse.Namespace) -> RestoreOptions:
    """The options of `vfe enhance`; ValueError where one makes no sense."""
    return RestoreOptions(
        strength=args.strength,
        size=args.size,
        scale=args.scale,
        codec=args.codec,
        crf=args.crf,
        compare=args.compare,
        overwrite=args.overwrite,
    )


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=_path, metavar="INPUT", help="video, image, folder of images or quoted glob")
    _add_output(parser, "video (.mp4 .mkv .mov), or a folder for PNGs")
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="lite", help="bundled name or path of a .safetensors file (default: lite)")
    model.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 input to 1 fully restored (default)")
    model.add_argument("--window", type=int, metavar="N", help="frames restored together, 4n+1")
    model.add_argument("--overlap", type=int, metavar="N", help="frames that two windows share and fade over")
    devices = "auto|cpu|cuda|mps|xpu"
    model.add_argument("--device", type=_device, default="auto", metavar=devices, help="default: auto; also cuda:1")
    model.add_argument("--dtype", default="auto", choices=("auto", "fp32", "bf16", "fp16"), help="default: auto")
    picture = parser.add_argument_group("picture and file")
    size = picture.add_mutually_exclusive_group()
    size.add_argument("--size", type=_size, metavar="WxH", help="resize the input to this before restoring")
    size.add_argument("--scale", type=float, metavar="N", help="resize the input by this factor before restoring")
    picture.add_argument("--crf", type=int, metavar="N", help="quality of H.264 and H.265: 0 best, 51 worst")
    picture.add_argument("--codec", choices=CODECS, help="default: by extension, H.264 for most")
    picture.add_argument("--compare", type=_path, metavar="FILE", help="also write input and output side by side")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", type=_path, metavar="A", help="left: video, image, folder of images or quoted glob")
    parser.add_argument("b", type=_path, metavar="B", help="right: the same")
    _add_output(parser, "video (.mp4 .mkv .mov) or .png")


def _add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("-o", "--output", type=_path, required=True, metavar="OUTPUT", help=what)
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def _path(text: str) -> Path:
    if not text:  # Path("") is the current folder, which nobody means who passes an unset variable
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"unknown device {text!r}, needed is auto, cpu, cuda, mps or xpu")
    return text


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)[xX\u00d7](\d+)", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size, needed is WIDTHxHEIGHT such as 512x512")
    return int(match[1]), int(match[2])
