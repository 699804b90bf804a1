"""The command line of a module that makes a lite file of another: `rewrite(one_row, __doc__, arguments)`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from vfe.models.lite import LiteModel
from vfe.types import VFEError
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model


def rewrite(change: Callable[[LiteModel], LiteModel], description: str | None, arguments: list[str] | None) -> None:
    """Read the model of the first file, change it, and write it into the second, with what is known of its training.

    A file that cannot be read ends the program in one line.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args(arguments)
    try:
        net = load_lite_model(args.input, torch.device("cpu"), torch.float32)
        save_lite_model(args.output, change(net), read_lite_info(args.input).training)
    except VFEError as error:
        sys.exit(str(error))
