"""The model of natural portraits that `niqe_own` measures by: `python -m benchmarks.niqe_own DATA -o FILE`.

DATA is a folder of portraits (`hq_image`) with a manifest.json, of whose items those count that are marked `open`. As
in NIQE's paper, of each picture the patches are taken whose sharpness is above 0.75 of the sharpest one's. All pictures
in the order of their names: the same data give the same file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from vfe.score.metrics.niqe import NaturalModel
from vfe.score.metrics.nss import Values, patches_of
from vfe.score.picture import Picture
from vfe.tensor_io.write import entries_of, write_safetensors
from vfe.video.read import open_source

CLEAR = 0.75
"""The part of a picture's largest sharpness that a patch must have."""


def open_portraits(data: Path) -> list[Path]:
    """Return the portraits that may train what ships, in the order of their names."""
    manifest = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    names = {item["file"] for item in manifest["items"] if item["open"] and item["file"].startswith("hq_image/")}
    return sorted(data / name for name in names)


def clear_patches(paths: list[Path]) -> Iterator[Values]:
    """Yield the features (N, 36) of the clear patches of each picture."""
    for number, path in enumerate(paths):
        with open_source(path) as source:
            patches = patches_of(Picture.of(next(iter(source)).pixels).luma)
        if len(patches.features):
            yield patches.features[patches.sharpness > CLEAR * patches.sharpness.max()]
        if number % 100 == 0:
            print(f"{number}/{len(paths)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.niqe_own", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    paths = open_portraits(args.data)
    features = np.concatenate(list(clear_patches(paths)))
    model = NaturalModel.fitted(features)
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(value, np.float32))
        for name, value in (("mean", model.mean), ("covariance", model.covariance))
    }
    about = {"format": "vfe-niqe-1", "pictures": str(len(paths)), "patches": str(len(features))}
    write_safetensors(args.output, entries_of(tensors), about)
    print(f"{len(features)} patches of {len(paths)} portraits: {args.output}")


if __name__ == "__main__":
    main()
