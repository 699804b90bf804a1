"""Everything that a run of the face net shows, decoded once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from .pictures import Album, AlbumConfig, Picture, admitted, read_manifest, read_portrait, read_sample, read_scene
from .turn import turned


def read_album(config: AlbumConfig) -> Album:
    """Decode everything once. Raises ValueError where the folder has no manifest or no portrait that is admitted."""
    root = Path(config.root)
    items = [item for item in read_manifest(root) if admitted(item, config)]
    portraits: list[list[Picture]] = []
    for item in items:
        if item["kind"] in ("hq_image", "hq_video"):
            pictures = read_portrait(root, item, config.clip_stride)
            portraits += [pictures] * (config.clip_weight if item["kind"] == "hq_video" else 1)
    if not portraits:
        raise ValueError(f"{root}: no labelled portrait or clip that the config admits")
    scenes = [read_scene(root, item, config.scene_stride) for item in items if item["kind"] == "scene_video"]
    return Album(
        portraits=portraits,
        turned=turn_all(portraits, config.turns),
        scenes=scenes,
        empty=[read_sample(name) for name in config.empty],
    )


def turn_all(portraits: list[list[Picture]], degrees: tuple[float, float]) -> list[list[Picture]]:
    """Every head turned to the side by an angle of its own, always the same in every process."""
    rng = np.random.default_rng(0)
    return [[turned(picture, math.radians(rng.uniform(*degrees))) for picture in group] for group in portraits]
