"""Where the tests find the repository, and the clips of people that are beside it on a machine that has them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "training/configs"
LITE = ROOT / "vfe/assets/lite.safetensors"
DEV = ROOT.parent / "shared/data/dev"
SCENES = DEV / "scene_video"
