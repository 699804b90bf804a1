"""The files of a tiny Wan restorer, a DiT with LoRA layers as training leaves it, and the shipped runs at tiny size."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.paths import CONFIGS
from tests.support.tiny_vae import random_vae
from tests.support.weight_layouts import TINY_DIT, random_dit
from training.run.loop import Run
from training.stages.vividface import VividFaceConfig
from training.train import load_config, start
from training.wan.lora import LoraConfig, add_lora, changes_of
from vfe.models.dit.model import WanDiT
from vfe.models.flow import OneStepFlow
from vfe.weights.prompt import write_prompt_embedding
from vfe.weights.save import Origin, save_lora

LORA = LoraConfig(rank=4, alpha=6.0)
FLOW = OneStepFlow("dvface", 300.0)
"""Not the default, so that losing it would be seen."""


class WanFiles(NamedTuple):
    dit: Path
    vae: Path
    context: Path

    def config(self, lora: LoraConfig | None = LORA) -> dict[str, object]:
        """`model` of a YAML run."""
        rank = {"rank": lora.rank, "alpha": lora.alpha} if lora else None
        return {**{name: str(path) for name, path in self._asdict().items()}, "lora": rank}


def write_wan_files(folder: Path) -> WanFiles:
    """A DiT of two blocks with width 128, a VAE of width 8 and a prompt of three rows."""
    folder.mkdir(parents=True, exist_ok=True)
    files = WanFiles(*(folder / f"{name}.safetensors" for name in WanFiles._fields))
    save_file(random_dit().state_dict(), files.dit)
    save_file(random_vae().state_dict(), files.vae)
    write_prompt_embedding(files.context, torch.randn(3, TINY_DIT.text_dim, generator=torch.Generator().manual_seed(5)))
    return files


def trained_dit(config: LoraConfig = LORA) -> WanDiT:
    """`random_dit` with LoRA layers whose changes are as large as the weights."""
    dit = random_dit()
    add_lora(dit, config)
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for change in changes_of(dit).values():
            change.down.copy_(torch.randn(change.down.shape, generator=generator) / change.down.shape[1] ** 0.5)
            change.up.copy_(torch.randn(change.up.shape, generator=generator) * 0.5)
    return dit


def write_trained_lora(path: Path) -> WanDiT:
    """What training exports of `trained_dit`, which is returned."""
    dit = trained_dit()
    save_lora(path, changes_of(dit), Origin(base="dit.safetensors", flow=FLOW, training={"steps": 3}).note())
    return dit


def tiny_overrides(files: WanFiles, root: Path, output: Path) -> dict[str, object]:
    """What makes a shipped VividFace run one of two tiny steps on the files: dotted keys, as `--set` takes them."""
    return {
        "model": files.config(),
        "data": {"root": str(root), "frames": 5, "side": 32, "batch": 2, "segment": 6, "reuse": 2},
        "eval.root": None,
        "optim.warmup_steps": 1,
        "precision": "no",
        "accumulate": 1,
        "workers": 0,
        "steps": 2,
        "output": str(output),
    }


def config_of(name: str, files: WanFiles, root: Path, **changes: object) -> VividFaceConfig:
    """The shipped run of that name at tiny size, with more changes of dotted keys."""
    overrides = tiny_overrides(files, root, root.parent / "run") | changes
    config = load_config(CONFIGS / f"{name}.yaml", overrides)
    assert isinstance(config, VividFaceConfig)
    return config


def run_of(config: VividFaceConfig) -> Run:
    run = start(config)
    run.train()
    return run


def trained_weights(run: Run) -> list[Tensor]:
    return [p.detach() for p in run.stage.trainables[0].parameters() if p.requires_grad]
