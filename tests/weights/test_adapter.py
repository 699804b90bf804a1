"""Adapter files: written, loaded back, and refused where they are something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.tiny_prior import tiny_adapter
from vfe.types import VFEError
from vfe.weights.adapter import ADAPTER_FORMAT, load_adapter, load_prior, write_adapter


def test_prior_and_fusion_come_back(tmp_path: Path) -> None:
    adapter, path = tiny_adapter(), tmp_path / "adapter.safetensors"
    write_adapter(path, adapter, {"steps": 3}, torch.float32)
    loaded = load_adapter(path, torch.float32)
    assert loaded.prior.config == adapter.prior.config
    assert loaded.fusion.config == adapter.fusion.config
    video = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    x = torch.randn(1, 8, 24)
    fused = [part.fusion(part.prior(video))(1, x) for part in (adapter, loaded)]
    assert torch.equal(*fused)
    prior = load_prior(path, torch.float32)
    assert torch.equal(prior(video).spatial, adapter.prior(video).spatial)


def test_a_prior_alone(tmp_path: Path) -> None:
    adapter, path = tiny_adapter(), tmp_path / "prior.safetensors"
    write_adapter(path, adapter.prior, {})
    prior = load_prior(path, torch.float32)
    torch.testing.assert_close(prior.state_dict(), adapter.prior.state_dict(), rtol=1e-3, atol=1e-3)
    with pytest.raises(VFEError, match="a prior without its fusion"):
        load_adapter(path, torch.float32)


def metadata(path: Path) -> dict[str, str]:
    write_adapter(path, tiny_adapter(), {})
    header = path.read_bytes()
    size = int.from_bytes(header[:8], "little")
    found: dict[str, str] = json.loads(header[8 : 8 + size])["__metadata__"]
    return found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, "needed an adapter"),
        ({"config": "{"}, "metadata is damaged"),
        ({"config": "{}"}, "metadata is damaged"),
    ],
)
def test_damaged_metadata_is_one_line(tmp_path: Path, change: dict[str, str], words: str) -> None:
    path = tmp_path / "adapter.safetensors"
    save_file({"x": torch.zeros(1)}, path, {**metadata(path), **change})
    with pytest.raises(VFEError, match=words) as caught:
        load_adapter(path, torch.float32)
    assert "\n" not in str(caught.value)


def test_sizes_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    facts = metadata(path)
    config = json.loads(facts["config"])
    config["prior"]["dim"] = 12
    config["fusion"]["prior_dim"] = 12
    tensors = {name: value.contiguous() for name, value in tiny_adapter().state_dict().items()}
    save_file(tensors, path, {"format": ADAPTER_FORMAT.name, "config": json.dumps(config)})
    with pytest.raises(VFEError, match="damaged or altered"):
        load_adapter(path, torch.float32)
    config["prior"]["predictor"]["layers"] = 10**9
    save_file(tensors, path, {"format": ADAPTER_FORMAT.name, "config": json.dumps(config)})
    with pytest.raises(VFEError, match="more layers than it has tensors"):
        load_adapter(path, torch.float32)
