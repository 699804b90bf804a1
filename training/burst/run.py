"""Train the face restorer: `python -m training.burst.run --data runs/burst/data --minutes 9 --out runs/burst/out`.

DATA is what training.burst.pack made. The stages share the minutes, or run a number of steps each; what OUT holds
already goes on, and a stage that is over is not begun again. Weights, curves, a sheet of held-out people and a state go
to OUT every minute. It needs torch, einops, safetensors, numpy and Pillow alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from vfe.own_process import keep_freed_memory
from vfe.types import VFEError

from ..losses.perceptual.squeeze import SQUEEZE_FILE, load_squeeze
from .frame_part import BUNDLED
from .likeness import LIKENESS_FILE, load_likeness
from .packed import read_packed_album
from .plan import STAGE_SHARES, Plan, PlanConfig
from .pool import MixedLengths
from .restorer import ImageDistances


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="of all stages that are named")
    length.add_argument("--steps", type=int, help="of each of them: the same run on a machine that is busy or slow")
    parser.add_argument("--stages", default=",".join(STAGE_SHARES), help="some of %(default)s, in this order")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=48, help="halved where memory does not take it")
    parser.add_argument("--frames", type=int, default=9, help="of a clip: 4n + 1, or 4n from the middle of a clip")
    parser.add_argument("--reuse", type=float, default=1.0, help="steps for which a pair that is made ahead is used")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--ema", type=float, default=0.998, help="of the weights, per step; less for short runs")
    parser.add_argument("--save-seconds", type=float, default=60)
    parser.add_argument("--init", type=Path, help="a restorer to start from")
    parser.add_argument("--frame-part", type=Path, default=BUNDLED, help="a lite file (default: the bundled one)")
    parser.add_argument("--pool", type=Path, help="pairs that training.burst.fill_pool makes at the same time")
    parser.add_argument("--x264", type=Path, help="that program: pairs are made ahead by threads and real encoders")
    parser.add_argument("--held-out", type=int, default=12, help="clips of held-out people that a stage is scored on")
    parser.add_argument(
        "--prior", choices=("none", "spatial", "temporal", "both"), default="both", help="what of it the restorer gets"
    )
    parser.add_argument(
        "--true-codes", action="store_true", help="of the clean clips, for the restorer: the most that a prior can give"
    )
    parser.add_argument("--fusion-alone", action="store_true", help="train it in fidelity, and not the restorer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--join-every", type=int, help="steps, of which one has clips of three pairs of the pool")
    parser.add_argument("--still-every", type=int, help="steps, of which one has single frames of the pool's pairs")
    parser.add_argument("--compile", action="store_true", help="the restorer's blocks, by torch.compile")
    parser.add_argument("--tiny", action="store_true", help="small networks, for rehearsals")
    return parser


def main(arguments: list[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    if arguments is None:
        keep_freed_memory()
    try:
        device = torch.device(args.device)
    except RuntimeError as error:
        sys.exit(f"--device {args.device}: {str(error).splitlines()[0]}")
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        config = PlanConfig(
            stages=tuple(args.stages.split(",")),
            minutes=args.minutes,
            steps=args.steps,
            batch=args.batch,
            lr=args.lr,
            ema=args.ema,
            frames=args.frames,
            reuse=args.reuse,
            save_seconds=args.save_seconds,
            init=args.init,
            frame_part=args.frame_part,
            pool=args.pool,
            x264=args.x264,
            held_out=args.held_out,
            mixed=MixedLengths(join_every=args.join_every, still_every=args.still_every),
            prior=None if args.prior == "none" else args.prior,
            true_codes=args.true_codes,
            fusion_alone=args.fusion_alone,
            seed=args.seed,
            tiny=args.tiny,
            compile=args.compile,
        )
        Plan(config, read_packed_album(args.data, device), _distances(args.data, device), args.out).run()
    except (ValueError, VFEError) as error:
        sys.exit(str(error))


def _distances(data: Path, device: torch.device) -> ImageDistances:
    """The networks that the packed data come with; that for likeness may be missing."""
    likeness = data / LIKENESS_FILE
    return ImageDistances(
        load_squeeze(data / SQUEEZE_FILE).to(device),
        load_likeness(likeness).to(device) if likeness.exists() else None,
    )


if __name__ == "__main__":
    main()
