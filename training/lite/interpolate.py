"""A model between two: `python -m training.lite.interpolate before.safetensors after.safetensors between.safetensors`.

What training on other damage changed for the better is kept for the most part half of the way, and what it changed for
the worse comes back for the most part: weights before and after fine-tuning lie in one basin (WiSE-FT, Wortsman et al.
2022).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from vfe.models.lite import LiteModel
from vfe.types import VFEError
from vfe.weights.lite import load_lite_model, read_lite_info, save_lite_model


def interpolate(before: LiteModel, after: LiteModel, share: float) -> LiteModel:
    """`after` with weights that lie `share` of the way from `before` to it. Raises VFEError for models of other sizes,
    and for a share that is not from 0 to 1."""
    if before.config != after.config or not 0 <= share <= 1:
        raise VFEError(
            f"share {share}, one size {before.config == after.config}: needed 0 to 1, and models of one size"
        )
    with torch.no_grad():
        for value, first in zip(after.state_dict().values(), before.state_dict().values(), strict=True):
            value.copy_(torch.lerp(first, value, share))
    return after


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, help="what training made of it")
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the way from the first to the second")
    args = parser.parse_args(arguments)
    try:
        before, after = (
            load_lite_model(path, torch.device("cpu"), torch.float32) for path in (args.before, args.after)
        )
        facts = {**read_lite_info(args.after).training, "share": args.share}
        save_lite_model(args.output, interpolate(before, after, args.share), facts)
    except VFEError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
