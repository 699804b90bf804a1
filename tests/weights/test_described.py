"""Files that describe themselves: every kind is written, read and refused in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.support.tiny_dit import tiny_config
from tests.support.tiny_prior import tiny_adapter
from vfe.face.detect.net import DetectorConfig, FaceNet, FaceNetConfig, RefinerConfig, fold_batch_norm
from vfe.face.detect.weights import load_face_net, save_face_net
from vfe.models.lapped_codec import CodecConfig
from vfe.models.lite import LiteConfig, LiteModel
from vfe.tensor_io.described import MAX_METADATA
from vfe.types import VFEError
from vfe.weights.adapter import load_adapter, write_adapter
from vfe.weights.lite import is_lite_model, load_lite_model, save_lite_model

CPU = torch.device("cpu")


def write_lite(path: Path) -> None:
    config = LiteConfig(dit=tiny_config(in_channels=192), codec=CodecConfig(space=4))
    save_lite_model(path, LiteModel(config), {"steps": 3})


def write_face_net(path: Path) -> None:
    detector = DetectorConfig(stem=(4, 6), widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), head=8)
    refiner = RefinerConfig(side=32, widths=(4, 6, 8, 8), head=6)
    save_face_net(path, fold_batch_norm(FaceNet(FaceNetConfig(detector=detector, refiner=refiner)).eval()), {})


@dataclass(frozen=True)
class Kind:
    """How one kind of file is written and loaded, and where a size lies in its config."""

    write: Callable[[Path], None]
    load: Callable[[Path], torch.nn.Module]
    size: tuple[str, str]


KINDS = {
    "lite": Kind(write_lite, lambda path: load_lite_model(path, CPU, torch.float32), ("dit", "text_dim")),
    "face net": Kind(write_face_net, lambda path: load_face_net(path, CPU), ("detector", "head")),
    "adapter": Kind(
        lambda path: write_adapter(path, tiny_adapter(), {}),
        lambda path: load_adapter(path, torch.float32),
        ("prior", "entries"),
    ),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def path(kind: Kind, tmp_path: Path) -> Path:
    kind.write(tmp_path / "file.safetensors")
    return tmp_path / "file.safetensors"


def rewrite(path: Path, **change: str | None) -> None:
    """The same tensors beside other metadata; None leaves an entry out."""
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), **change}
    save_file(load_file(path), path, {key: value for key, value in metadata.items() if value is not None})


def config_at(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        config: dict[str, Any] = json.loads(file.metadata()["config"])
    return config


def refused(kind: Kind, path: Path) -> str:
    with pytest.raises(VFEError) as caught:
        kind.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_the_library_wrote_is_read_alike(kind: Kind, path: Path) -> None:
    """Older versions wrote these files with safetensors' own `save_file`."""
    ours = kind.load(path).state_dict()
    rewrite(path)
    theirs = kind.load(path).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"a": 1}', "[" * 100_000, '{"a": ' * 100_000])
def test_a_damaged_config_is_one_line(kind: Kind, path: Path, text: str) -> None:
    rewrite(path, config=text)
    assert "metadata is damaged" in refused(kind, path)


def test_a_file_without_a_config_is_damaged(kind: Kind, path: Path) -> None:
    rewrite(path, config=None)
    assert "metadata is damaged" in refused(kind, path)


def test_metadata_of_any_size_is_not_read(kind: Kind, path: Path) -> None:
    rewrite(path, training=" " * MAX_METADATA + "{}")
    assert f"metadata of over {MAX_METADATA} bytes" in refused(kind, path)


def test_a_file_of_another_format_is_named(kind: Kind, path: Path) -> None:
    rewrite(path, format="vfe-other-1")
    assert "its metadata says vfe-other-1; needed" in refused(kind, path)


@pytest.mark.parametrize("size", [10**12, 10**30])
def test_a_size_beyond_all_memory_is_one_line(kind: Kind, path: Path, size: int) -> None:
    config, (part, name) = config_at(path), kind.size
    config[part][name] = size
    rewrite(path, config=json.dumps(config))
    told = refused(kind, path)
    assert any(words in told for words in ("metadata is damaged", "damaged or altered", "sizes fit no network"))


def test_a_tensor_of_another_shape_is_named(kind: Kind, path: Path) -> None:
    state = load_file(path)
    name = max(state, key=lambda name: state[name].numel())
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({**state, name: torch.zeros(1)}, path, metadata)
    assert f"{name} is (1,), needed" in refused(kind, path)


def test_not_a_number_is_refused(kind: Kind, path: Path) -> None:
    state = load_file(path)
    name = next(name for name in state if state[name].ndim)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({**state, name: torch.full_like(state[name], float("nan"))}, path, metadata)
    assert f"{name} holds NaN or infinity" in refused(kind, path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"PK\x03\x04" + b"\0" * 40])
def test_what_cannot_be_read_is_no_restorer(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(content)
    assert not is_lite_model(tmp_path / "m")
    assert not is_lite_model(tmp_path)
    assert not is_lite_model(tmp_path / "none")
