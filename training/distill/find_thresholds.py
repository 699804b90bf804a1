"""Find thresholds of experts: `python -m training.distill.find_thresholds training/configs/distill_experts_lite.yaml`.

Measures the severity of a run's clips, as they are degraded in training, and prints the thresholds that share them out
evenly, as the run's config takes them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
import yaml

from vfe.types import VFEError
from vfe.video.severity import severity

from ..stages.distill import DistillConfig
from ..train import load_config
from .find_intervals import degraded_clips


def quantiles(severities: torch.Tensor, experts: int) -> list[float]:
    """The thresholds between `experts` equal shares of severities (N,); ValueError where clips are too much alike."""
    shares = torch.arange(1, experts, dtype=torch.float64) / experts
    found = [round(float(threshold), 3) for threshold in torch.quantile(severities.double(), shares)]
    if len({0.0, *found, 1.0}) != experts + 1:
        raise ValueError(f"thresholds would be {found}: the clips are too much alike for {experts} experts; take fewer")
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--experts", type=int, default=3, help="how many experts there are to be")
    parser.add_argument("--batches", type=int, default=16, help="batches of the run that are measured")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace a value of the config")
    args = parser.parse_args(arguments)
    try:
        _find(args)
    except (ValueError, VFEError) as error:
        sys.exit(f"find_thresholds: {error}")


def _find(args: argparse.Namespace) -> None:
    overrides = {key: yaml.safe_load(value) for key, _, value in (item.partition("=") for item in args.set)}
    config = load_config(args.config, overrides)
    if not isinstance(config, DistillConfig):
        raise ValueError(f"{args.config} is no run of distillation; give one of method experts")
    if args.experts < 2 or args.batches < 1:
        raise ValueError(f"{args.experts} experts by {args.batches} batches, needed 2 or more by 1 or more")
    clips = degraded_clips(config, args.batches, torch.device("cpu"))
    severities = torch.cat([severity(degraded) for degraded in clips])
    spread = ", ".join(f"{float(value):.3f}" for value in (severities.min(), severities.median(), severities.max()))
    print(f"severities of {len(severities)} clips: least, median and most are {spread}")
    print(f"thresholds: {quantiles(severities, args.experts)}")


if __name__ == "__main__":
    main()
