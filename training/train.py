"""Train: `python -m training.train training/configs/lite.yaml [--resume] [--set key=value ...]`.

The key `stage` of the YAML file says what; `torchrun` or `accelerate launch` in front of it, on how many processes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vfe.config import from_mapping
from vfe.own_process import keep_freed_memory
from vfe.types import VFEError

from .run.config import RunConfig, read_overrides, read_yaml
from .run.loop import Run, StageType


def recipe(stage: str) -> tuple[type[RunConfig], StageType]:
    """Config and stage of a YAML's `stage`. Raises ValueError for a name that is none."""
    match stage:
        case "prior_codebook":
            from .stages.prior_codebook import PriorCodebookConfig, PriorCodebookStage

            return PriorCodebookConfig, PriorCodebookStage
        case "prior_predict":
            from .stages.prior_predict import PriorPredictConfig, PriorPredictStage

            return PriorPredictConfig, PriorPredictStage
        case "lite":
            from .stages.lite import LiteStage, LiteTrainConfig

            return LiteTrainConfig, LiteStage
        case "vividface_latent" | "vividface_pixel":
            from .stages.vividface import VividFaceConfig, VividFaceStage

            return VividFaceConfig, VividFaceStage
        case "dvface":
            from .stages.dvface import DVFaceConfig, DVFaceStage

            return DVFaceConfig, DVFaceStage
        case "distill":
            from .stages.distill import DistillConfig, DistillStage

            return DistillConfig, DistillStage
        case "score":
            from .stages.score import ScoreConfig, ScoreStage

            return ScoreConfig, ScoreStage
        case "face_net":
            from .stages.face_net import FaceNetStage, FaceNetTrainConfig

            return FaceNetTrainConfig, FaceNetStage
        case _:
            raise ValueError(f"stage is {stage!r}, needed one that a file of training/configs names, such as lite")


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a YAML run; `overrides` maps dotted keys to values. Raises ValueError naming the key that does not fit."""
    raw = read_yaml(path, overrides)
    config_type, _ = recipe(raw.get("stage", ""))
    return from_mapping(config_type, raw)


def start(config: RunConfig, command: str = "", resume: bool = False) -> Run:
    """The run of a config, at its beginning or where it was saved last; `Run.train` takes it to its end."""
    _, stage_type = recipe(config.stage)
    return Run(config, stage_type, command, resume)


def written_command(arguments: list[str]) -> str:
    """The command line as it is written into the metadata."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    launcher = ["python"] if processes == 1 else ["torchrun", "--nproc_per_node", str(processes)]
    return shlex.join([*launcher, "-m", "training.train", *arguments])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in output where there is one")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace a value of the config")
    arguments = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(arguments)
    if argv is None:
        keep_freed_memory()
    try:
        run = start(load_config(args.config, read_overrides(args.set)), written_command(arguments), args.resume)
        run.train()
    except (ValueError, VFEError) as error:
        sys.exit(f"training: {error}")
    if run.accelerator.is_main_process:
        best = f", best score {run.progress.best_score:+.3f}" if run.progress.scores else ""
        skipped = f", {run.progress.skipped} skipped" if run.progress.skipped else ""
        print(f"{run.progress.step} steps{skipped}{best}: {run.output}")


if __name__ == "__main__":
    main()
