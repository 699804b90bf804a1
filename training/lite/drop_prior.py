"""A lite model without its prior: `python -m training.lite.drop_prior lite.safetensors plain.safetensors`.

What is left is what it was before a prior was fused into it, and has to be trained on, as the DiT has got used to it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from vfe.models.lite import LiteModel
from vfe.types import VFEError
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model


def drop_prior(net: LiteModel) -> LiteModel:
    """Return a model of the same codec, DiT and prompt embedding, without prior and fusion."""
    plain = LiteModel(replace(net.config, prior=None, fusion=None))
    plain.codec, plain.dit, plain.context = net.codec, net.dit, net.context
    return plain


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args(arguments)
    try:
        net = load_lite_model(args.input, torch.device("cpu"), torch.float32)
        save_lite_model(args.output, drop_prior(net), read_lite_info(args.input).training)
    except VFEError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
