"""Find intervals to prune: `python -m training.distill.find_intervals training/configs/distill_prune_lite.yaml`.

The teacher of the run restores clips of its data, as they are degraded in training. Prints how well one block's output
follows linearly from another's input, and the intervals as the run's config takes them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
import yaml
from torch import Tensor

from vfe.types import VFEError

from ..data.clips import FaceClips, to_batch
from ..run.stage import Slots
from ..stages.distill import DistillConfig
from ..train import load_config
from .block_passes import recorded
from .intervals import IntervalSearch, find_intervals, linear_probes
from .restorer import LatentRestorer, RestorerConfig, load_restorer


@torch.no_grad()
def block_states(restorer: LatentRestorer, clips: Iterable[Tensor], tokens: int) -> list[Tensor]:
    """The tokens (B, L, D) before each block and after the last, of degraded clips (B', 3, T, H, W).

    `tokens` is the most of a clip, evenly spread over it.
    """
    blocks = restorer.model.dit.blocks
    states: list[list[Tensor]] = [[] for _ in range(len(blocks) + 1)]
    for degraded in clips:
        with recorded(blocks, range(len(blocks))) as passes:
            restorer(restorer.codec.encode(degraded))
        before = [passes[index].tokens for index in range(len(blocks))]
        chosen = torch.linspace(0, before[0].shape[1] - 1, min(tokens, before[0].shape[1])).long()
        for kept, state in zip(states, [*before, passes[len(blocks) - 1].output], strict=True):
            kept.append(state[:, chosen].float().cpu())
    return [torch.cat(kept) for kept in states]


def degraded_clips(config: DistillConfig, batches: int, device: torch.device) -> Iterable[Tensor]:
    """The degraded clips of a run's first batches."""
    slots = Slots(0, config.data.batch, config.data.batch)
    clips = iter(FaceClips(config.data, config.degradations, config.seed, 0, slots))
    for _ in range(batches):
        degraded, _, _ = to_batch(*(part.to(device) for part in next(clips)))
        yield degraded


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--batches", type=int, default=8, help="batches of the run that are probed")
    parser.add_argument("--tokens", type=int, default=512, help="the most tokens of a clip")
    parser.add_argument("--threshold", type=float, default=IntervalSearch.threshold, help="the least R2 of an interval")
    parser.add_argument("--drop", type=float, default=IntervalSearch.drop, help="the most of it that a block may cost")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace a value of the config")
    args = parser.parse_args(arguments)
    try:
        _find(args)
    except (ValueError, VFEError) as error:
        sys.exit(f"find_intervals: {error}")


def _find(args: argparse.Namespace) -> None:
    overrides = {key: yaml.safe_load(value) for key, _, value in (item.partition("=") for item in args.set)}
    config = load_config(args.config, overrides)
    if not isinstance(config, DistillConfig) or config.teacher.kind != "restorer":
        raise ValueError(f"{args.config} is no run of distillation from a restorer; give one of method prune")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files = RestorerConfig(lite=config.teacher.lite, wan=config.teacher.wan)
    restorer = load_restorer(files).eval().requires_grad_(False).to(device)
    restorer.prepare(device, half=False)
    probes = linear_probes(block_states(restorer, degraded_clips(config, args.batches, device), args.tokens))
    windowed = restorer.model.dit.config.window is not None
    search = IntervalSearch(threshold=args.threshold, drop=args.drop, odd_only=windowed)
    print("R2 of the tokens after block j (columns) from those before block i (rows)")
    for first, row in enumerate(probes.tolist()):
        print(f"{first:3d} " + " ".join("     -" if last < first else f"{x:6.3f}" for last, x in enumerate(row)))
    print(f"intervals: {[list(interval) for interval in find_intervals(probes, search)]}")


if __name__ == "__main__":
    main()
