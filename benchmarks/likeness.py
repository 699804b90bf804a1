"""Whether one person stays one person: `python -m benchmarks.likeness --data DEV --nets NETS`.

A few clean portraits are damaged in several ways, and each damaged version is restored by itself, by the part for
frames and then by that for faces. The table has
distances of face embeddings by the restoration benchmark's network, in which strangers are 0.8 apart, before and after:
to the clean face, and among the versions of one face. A restorer that makes up faces would bring the versions no nearer
to each other, or away from the clean face.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import repeat
from torch import Tensor

import vfe
from training.burst.damage import Damage, DamageConfig
from training.burst.dice import Dice
from training.burst.frame_part import FramePart
from training.burst.precision import fast_restorer
from training.data.clips import read_frames
from vfe.face.paste.align import ALIGNED_SIDE, similarities, take_aligned, template
from vfe.options import RestoreOptions
from vfe.weights.lite import load_lite_model

from .faces import restored
from .machine import table

ASSETS = Path(vfe.__file__).parent / "assets"
DAMAGES = 6
"""Damaged versions of each face."""
CLIP_FRAMES = 5
"""Frames of a version, all of the same face; the middle one is embedded."""


def clean_faces(data: Path, people: int) -> list[Tensor]:
    """Aligned faces (3, S, S) uint8 of `people` portraits that are evenly spaced in the manifest."""
    items = json.loads((data / "manifest.json").read_text(encoding="utf-8"))["items"]
    portraits = [item for item in items if item["kind"] == "hq_image"]
    faces = []
    for item in portraits[:: max(1, len(portraits) // people)][:people]:
        picture = read_frames(data / item["file"])[0].permute(2, 0, 1).float()
        landmarks = np.load(data / item["label"])["landmarks5"][:1]
        crop = take_aligned(picture, similarities(torch.from_numpy(landmarks))[0])
        faces.append(crop.round().clamp(0, 255).byte())
    return faces


class Embedding:
    """The embedding of aligned faces by the restoration benchmark's network, which no model here was trained with."""

    def __init__(self, nets: Any) -> None:  # noqa: ANN401 - a module by path
        self.nets, self.net = nets, nets.FaceID()

    @torch.inference_mode()
    def __call__(self, faces: Tensor) -> Tensor:
        """Embed faces: (N, 3, S, S) uint8 -> (N, 128)."""
        points = (template().float() * ALIGNED_SIDE).expand(len(faces), -1, -1)
        embeddings: Tensor = self.net(self.nets.align(faces.float() / 255, points))
        return embeddings


def distances(versions: Tensor, clean: Tensor) -> tuple[float, float]:
    """Mean distance of the embeddings (N, 128) of versions to that of the clean face (1, 128), and to each other."""
    apart = torch.pdist(versions)
    return float((versions - clean).norm(dim=1).mean()), float(apart.mean())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--nets", type=Path, required=True, help="folder of nets.py")
    parser.add_argument("--model", type=Path, default=ASSETS / "lite_faces.safetensors", help="the part for faces")
    parser.add_argument("--frame-part", type=Path, default=ASSETS / "lite.safetensors")
    parser.add_argument("--fidelity", type=float, default=RestoreOptions.fidelity)
    parser.add_argument("--people", type=int, default=3)
    args = parser.parse_args(arguments)
    sys.path.insert(0, str(args.nets))
    embed = Embedding(import_module("nets"))
    net = fast_restorer(args.model)
    frame_part = FramePart(load_lite_model(args.frame_part, torch.device("cpu"), torch.float32))
    damage = Damage(DamageConfig(clean_share=0.0))
    rows = []
    for number, face in enumerate(clean_faces(args.data, args.people)):
        clips = repeat(face.float(), "c h w -> b t c h w", b=DAMAGES, t=CLIP_FRAMES)
        damaged = damage(clips, Dice(DAMAGES, (number,), torch.device("cpu")))
        cleaned = frame_part(damaged).byte()
        versions = zip(cleaned, damaged.byte(), strict=True)
        after = torch.stack([restored(net, *version, args.fidelity)[CLIP_FRAMES // 2] for version in versions])
        clean = embed(face[None])
        figures = (*distances(embed(damaged[:, CLIP_FRAMES // 2].byte()), clean), *distances(embed(after), clean))
        rows.append([str(number + 1), *(f"{value:.3f}" for value in figures)])
    print(
        table(["person", "to the clean face", "among versions", "restored: to the clean face", "among versions"], rows)
    )


if __name__ == "__main__":
    main()
