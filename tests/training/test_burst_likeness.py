"""The likeness loss: its network written out once more, its file, and what it adds to a restorer's loss."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.random_squeeze import random_squeeze
from tests.support.tiny_lite import tiny_lite
from training.burst.clips import Pairs
from training.burst.likeness import (
    AS_JUDGED,
    BGR_MEAN,
    FACE_SHARE,
    SIDE,
    STRIDES,
    WIDTHS,
    LikenessDistance,
    LikenessView,
    load_likeness,
)
from training.burst.likeness_file import main
from training.burst.restorer import ImageDistances, RestorerLossConfig, RestorerWithLoss, unfrozen
from training.losses.perceptual.squeeze import SqueezeDistance
from training.run.stage import Draw, Slots
from vfe.types import VFEError


def random_graph() -> dict[str, np.ndarray]:
    """The weights of HSE-FaceRes as TensorFlow.js names them, random and in float16."""
    rng = np.random.default_rng(0)

    def kernel(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * (2 / (shape[0] * shape[1] * shape[2])) ** 0.5).astype(np.float16)

    graph = {"feats/kernel": kernel(2, 2, 2), "conv1/convolution/merged_input": kernel(3, 3, 3, 32)}
    graph["conv1_bn/batchnorm_1/sub"] = np.full(32, 0.1, np.float16)
    for number, (before, width) in enumerate(zip((32, *WIDTHS), WIDTHS, strict=False), 1):
        graph[f"conv_dw_{number}/depthwise_kernel"] = kernel(3, 3, before, 1) * np.float16(before**0.5)
        graph[f"conv_dw_{number}_bn/batchnorm_1/mul"] = rng.uniform(0.5, 1.5, before).astype(np.float16)
        graph[f"conv_dw_{number}_bn/batchnorm_1/sub"] = np.full(before, 0.1, np.float16)
        graph[f"conv_pw_{number}/convolution/merged_input"] = kernel(1, 1, before, width)
        graph[f"conv_pw_{number}_bn/batchnorm_1/sub"] = np.full(width, 0.1, np.float16)
    return graph


def write_graph(folder: Path, graph: dict[str, np.ndarray]) -> Path:
    """A TensorFlow.js model with a file of weights beside it."""
    notes = [
        {"name": name, "shape": list(value.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
        for name, value in graph.items()
    ]
    (folder / "faceres.bin").write_bytes(b"".join(value.tobytes() for value in graph.values()))
    manifest = [{"paths": ["faceres.bin"], "weights": notes}]
    (folder / "faceres.json").write_text(json.dumps({"weightsManifest": manifest}), encoding="utf-8")
    return folder / "faceres.json"


@pytest.fixture(scope="module")
def likeness(tmp_path_factory: pytest.TempPathFactory) -> LikenessDistance:
    folder = tmp_path_factory.mktemp("likeness")
    main([str(write_graph(folder, random_graph())), "--out", str(folder / "likeness.safetensors")])
    return load_likeness(folder / "likeness.safetensors")


def embedding_written_out(images: Tensor, graph: dict[str, Tensor]) -> Tensor:
    """MobileNet v1 in TensorFlow's layout: NHWC, SAME padding, of which an odd rest goes to the far side."""

    def layer(x: Tensor, kernel: Tensor, bias: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        size = kernel.shape[0]
        pad = max((-(-x.shape[-1] // stride) - 1) * stride + size - x.shape[-1], 0)
        x = F.pad(x, (pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
        weight = kernel.permute(2, 3, 0, 1) if groups > 1 else kernel.permute(3, 2, 0, 1)
        return (F.conv2d(x, weight, stride=stride, groups=groups) + bias[:, None, None]).clamp(0, 6)

    margin = round(images.shape[-1] * (1 - FACE_SHARE) / 2)
    inner = images[:, :, margin:-margin, margin:-margin]
    x = F.interpolate(inner, size=(SIDE, SIDE), mode="bilinear", antialias=True) * 255
    x = x[:, [2, 1, 0]] - torch.tensor(BGR_MEAN)[:, None, None]
    x = layer(x, graph["conv1/convolution/merged_input"], graph["conv1_bn/batchnorm_1/sub"], 2)
    for number, stride in enumerate(STRIDES, 1):
        kernel = graph[f"conv_dw_{number}/depthwise_kernel"] * graph[f"conv_dw_{number}_bn/batchnorm_1/mul"][:, None]
        x = layer(x, kernel, graph[f"conv_dw_{number}_bn/batchnorm_1/sub"], stride, x.shape[1])
        pointwise = graph[f"conv_pw_{number}/convolution/merged_input"]
        x = layer(x, pointwise, graph[f"conv_pw_{number}_bn/batchnorm_1/sub"])
    return F.normalize(x.mean((2, 3)), dim=1)


def test_the_embedding_is_the_graph_written_out(likeness: LikenessDistance) -> None:
    graph = {name: torch.from_numpy(value.astype(np.float32)) for name, value in random_graph().items()}
    torch.manual_seed(0)
    images = torch.rand(2, 3, 256, 256)
    torch.testing.assert_close(likeness.net(images), embedding_written_out(images, graph), atol=2e-4, rtol=0)


def test_equal_pictures_have_no_distance_and_others_have_one(likeness: LikenessDistance) -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 2, 3, 128, 128).unbind(0)
    b[:, :, 40:80, 30:90] = 0
    for view in (AS_JUDGED, LikenessView(0.7, 128, True)):
        assert all(abs(float(distance)) < 1e-6 for distance in likeness(a, a, view))
        assert min(likeness(a, b, view)) > 1e-4
    a.requires_grad_(), b.requires_grad_()
    torch.stack(likeness(a, b)).sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
    assert b.grad is None


def test_a_restorer_learns_likeness_where_a_network_knows_it(likeness: LikenessDistance) -> None:
    perceptual = SqueezeDistance(random_squeeze())
    torch.manual_seed(0)
    pairs = Pairs(*(2 * torch.rand(3, 2, 3, 4, 64, 64) - 1).unbind(0))
    for distances, expected in ((ImageDistances(perceptual), False), (ImageDistances(perceptual, likeness), True)):
        restorer = RestorerWithLoss(unfrozen(tiny_lite(0.02)), RestorerLossConfig(), distances)
        assert ("likeness" in restorer(pairs, Draw(0, 0, 0.0, Slots(0, 2, 2))).terms) is expected


@pytest.mark.parametrize("broken", ["no JSON", "weights cut short", "another network"])
def test_other_files_are_one_line(broken: str, tmp_path: Path) -> None:
    graph = random_graph()
    if broken == "another network":
        del graph["conv_dw_5/depthwise_kernel"]
    path = write_graph(tmp_path, graph)
    if broken == "no JSON":
        path.write_text("{", encoding="utf-8")
    if broken == "weights cut short":
        (tmp_path / "faceres.bin").write_bytes(b"\0" * 99)
    with pytest.raises(SystemExit, match=r"faceres\.json"):
        main([str(path), "--out", str(tmp_path / "out.safetensors")])
    assert not (tmp_path / "out.safetensors").exists()


def test_a_file_of_something_else_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "likeness.safetensors").write_bytes(b"no tensors")
    with pytest.raises(VFEError, match="likeness"):
        load_likeness(tmp_path / "likeness.safetensors")
