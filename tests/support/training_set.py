"""A tiny training set with a manifest, and a run on it that takes seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.clips import Clip, write_clip, write_image


def write_training_set(root: Path) -> Path:
    """Two clips and two portraits of 80x80, one of each not open, with face masks for some."""
    for folder in ("hq_video", "hq_image", "labels"):
        (root / folder).mkdir(parents=True)
    items: list[dict[str, Any]] = []
    for index, is_open in enumerate((True, False)):
        write_clip(root / f"hq_video/clip{index}.mp4", Clip(frames=12, width=80, height=80))
        write_image(root / f"hq_image/face{index}.png", 80, 80)
        masks = np.zeros((12, 96, 96), np.uint8)
        masks[:, 30:60, 30:60] = 1
        np.savez(root / f"labels/clip{index}.npz", masks=np.packbits(masks, axis=-1))
        common = {"open": is_open, "sharp": 100.0}
        items += [
            {"file": f"hq_video/clip{index}.mp4", "label": f"labels/clip{index}.npz", "kind": "hq_video", "frames": 12},
            {"file": f"hq_image/face{index}.png", "label": None, "kind": "hq_image", "frames": 1},
        ]
        for item in items[-2:]:
            item.update(common)
    (root / "manifest.json").write_text(json.dumps({"items": items}))
    return root


def small_run(folder: Path, root: Path) -> dict[str, Any]:
    """What all runs on face clips have, at a size that takes seconds."""
    return {
        "data": {"root": str(root), "frames": 5, "side": 32, "batch": 2, "segment": 6, "reuse": 2},
        "eval": {"root": str(root), "clips": 1, "frames": 5, "every_steps": 4},
        "optim": {"warmup_steps": 2},
        "precision": "no",
        "workers": 0,
        "steps": 6,
        "output": str(folder / "run"),
    }


def write_yaml(folder: Path, run: dict[str, Any]) -> Path:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def write_run(folder: Path, root: Path, **changes: Any) -> Path:  # noqa: ANN401
    """A YAML run of a tiny model, with top-level `changes`."""
    run = {
        "stage": "lite",
        "model": {
            "dit": {
                "in_channels": 768, "dim": 32, "heads": 2, "layers": 1, "ffn_dim": 32, "freq_dim": 16, "text_dim": 8,
                "patch": [1, 1, 1], "window": [1, 4, 4], "local_kernel": 3,
            }
        },
        "phases": [
            {"share": 0.5, "loss": {"space": "latent"}},
            {"share": 0.5, "loss": {"space": "pixel", "penalty": "charbonnier", "structure": 0.1, "temporal": 0.5}},
        ],
        **small_run(folder, root),
        **changes,
    }  # fmt: skip
    return write_yaml(folder, run)
