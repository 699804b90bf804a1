"""The options of `vfe live`. Torch is not imported."""

from __future__ import annotations

import argparse
import re

from ..live.outputs.address import Address
from ..options import DEFAULT_DTYPE, DTYPES, RestoreOptions
from .common_options import add_model_folders
from .values import read_device, read_size

CAMERA = "camera"
"""What stands for the first camera as an input; camera:NAME or camera:NUMBER is another one."""


def add_live(parser: argparse.ArgumentParser, progress_forms: tuple[str, ...]) -> None:
    """Add the arguments and options of `vfe live`."""
    given = "camera (default), camera:NAME or camera:NUMBER, the address of a stream, or a file that is played"
    parser.add_argument("input", nargs="?", default=CAMERA, metavar="INPUT", help=given)
    outputs = "http (default, with a page to look at), http://HOST:PORT, udp://HOST:PORT, srt://HOST:PORT or virtual"
    parser.add_argument(
        "-o", "--output", type=_address, action="append", metavar="OUTPUT", help=f"{outputs}; several are possible"
    )
    parser.add_argument("--list", action="store_true", help="list the cameras")
    source = parser.add_argument_group("input")
    source.add_argument("--size", type=read_size, metavar="WxH", help="ask the camera for frames of this size")
    source.add_argument("--fps", type=_rate, metavar="N", help="ask the camera for so many frames a second")
    source.add_argument("--loop", action="store_true", help="play a file again and again")
    faces = parser.add_argument_group("faces")
    faces.add_argument("--most-faces", type=_count, default=2, metavar="N", help="only the N largest (default: 2)")
    faces.add_argument("--min-face", type=_pixels, default=24, metavar="PX", help="leave smaller ones alone (24)")
    faces.add_argument("--strength", type=_share, default=RestoreOptions.strength, metavar="S", help="0 to 1 (default)")
    fidelity = f"0 sharpest to 1 most faithful, and fastest (default: {RestoreOptions.fidelity:g})"
    faces.add_argument("--fidelity", type=_share, default=RestoreOptions.fidelity, metavar="F", help=fidelity)
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="lite", metavar="M", help="a lite model: name or path (default: lite)")
    model.add_argument("--face-model", metavar="M", help="what restores faces: name, path or none (default: lite's)")
    model.add_argument(
        "--device", type=read_device, default="auto", metavar="auto|cpu|cuda|mps|xpu", help="default: auto"
    )
    model.add_argument("--dtype", default=DEFAULT_DTYPE, choices=DTYPES, help=f"default: {DEFAULT_DTYPE}")
    add_model_folders(model)
    progress = "how progress is written to stderr: for people, or a line of JSON every half second"
    parser.add_argument("--progress", choices=progress_forms, default=progress_forms[0], help=progress)


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rate(text: str) -> int:
    return _number(text, 1, 240, "number of frames a second")


def _count(text: str) -> int:
    return _number(text, 1, 32, "number of faces")


def _pixels(text: str) -> int:
    return _number(text, 0, 9999, "number of pixels")


def _number(text: str, least: int, most: int, what: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}, needed is {least} to {most}")
    return int(text)


def _share(text: str) -> float:
    if not re.fullmatch(r"\d*\.?\d+", text, re.ASCII) or not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share, needed is a number from 0 to 1")
    return float(text)
