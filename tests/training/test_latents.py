"""Fixed pairs and their latents: kept or not, a step is the same, and what a file depends on is in its name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.tiny_vae import random_vae
from tests.support.training_set import write_training_set
from tests.support.wan_training import WanFiles, config_of, run_of, trained_weights, write_wan_files
from training.data.clips import DataConfig
from training.wan.fixed_pairs import CachedPairs, FixedPairs
from training.wan.latent_cache import LatentFiles, LatentPair, key_of, vae_hash
from vfe.degradations.presets import preset_family
from vfe.degradations.vividface import DegradationConfig
from vfe.types import VFEError


@pytest.fixture
def files(tmp_path: Path) -> WanFiles:
    return write_wan_files(tmp_path / "models")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_cached_and_uncached_steps_are_equal(dtype: str, files: WanFiles, root: Path, tmp_path: Path) -> None:
    """Bit for bit: encoded each time, then encoded once and kept, then found."""
    weights: list[list[Tensor]] = []
    for folder in (None, str(tmp_path / "cache"), str(tmp_path / "cache")):
        fixed = {"variants": 2, "folder": folder, "dtype": dtype}
        output = str(tmp_path / f"run{len(weights)}")
        config = config_of("vividface_latent", files, root, fixed=fixed, output=output)
        weights.append(trained_weights(run_of(config)))
    kept = sorted((tmp_path / "cache").iterdir())
    assert len(kept) == 4
    assert all(path.suffix == ".safetensors" for path in kept)  # two open items, two variants
    for other in weights[1:]:
        assert all(torch.equal(a, b) for a, b in zip(weights[0], other, strict=True))


def cached_pairs(files: WanFiles, root: Path, folder: Path) -> CachedPairs:
    pairs = FixedPairs(DataConfig(root=str(root), frames=5, side=32, segment=6), DegradationConfig(), 0, 2)
    return CachedPairs(pairs, vae_hash(files.vae), LatentFiles(folder, torch.float32))


def no_latents(raw: Any) -> LatentPair:  # noqa: ANN401
    """Stands in for the encoder where only the files matter."""
    clips = len(raw[0])
    return LatentPair(torch.zeros(clips, 16, 2, 4, 4), torch.zeros(clips, 16, 2, 4, 4), torch.zeros(clips, 1, 2, 4, 4))


def test_a_pair_is_encoded_once(files: WanFiles, root: Path, tmp_path: Path) -> None:
    cached = cached_pairs(files, root, tmp_path / "cache")
    with pytest.raises(VFEError, match="no such file"):
        cached[0]
    assert cached.fill(no_latents, share=0.5) == 4
    assert cached.fill(no_latents) == 0
    assert cached[3].mask.dtype == torch.float32
    cached.files.path(cached.key(1)).unlink()
    assert cached.fill(no_latents) == 1


def test_every_input_of_a_pair_changes_its_key(files: WanFiles, root: Path, tmp_path: Path) -> None:
    cached = cached_pairs(files, root, tmp_path)
    pairs, key = cached.pairs, cached.key(0)
    assert key == cached_pairs(files, root, tmp_path / "elsewhere").key(0)
    data, how = pairs.config, pairs.degradation
    assert isinstance(how, DegradationConfig)
    others = [
        pairs.facts(1),
        pairs.facts(2),
        FixedPairs(data, how, 1, 2).facts(0),
        FixedPairs(data, replace(how, crf=(18, 30)), 0, 2).facts(0),
        *(
            FixedPairs(other, how, 0, 2).facts(0)
            for other in (replace(data, frames=1), replace(data, side=48), replace(data, segment=7))
        ),
        FixedPairs(replace(data, face_share=0.1), how, 0, 2).facts(0),
    ]
    others += [FixedPairs(data, preset_family(name), 0, 2).facts(0) for name in ("severe", "mix", "webcam")]
    keys = [key_of(cached.vae_hash, torch.float32, facts) for facts in others]
    keys += [key_of(cached.vae_hash, torch.bfloat16, pairs.facts(0)), key_of("another", torch.float32, pairs.facts(0))]
    assert len({key, *keys}) == len(keys) + 1


def test_other_bytes_of_clip_labels_or_vae_change_the_key(files: WanFiles, root: Path, tmp_path: Path) -> None:
    keys = [cached_pairs(files, root, tmp_path).key(0)]
    for change in (root / "hq_video/clip0.mp4", root / "labels/clip0.npz"):
        moved_to = root.with_name(f"data{len(keys)}")
        shutil.copytree(root, moved_to)
        with (moved_to / change.relative_to(root)).open("ab") as file:
            file.write(b"\0")
        keys.append(cached_pairs(files, moved_to, tmp_path).key(0))
    other = files._replace(vae=tmp_path / "other_vae.safetensors")
    state = random_vae().state_dict()
    save_file(state | {"decoder.conv1.bias": state["decoder.conv1.bias"] + 1}, other.vae)
    keys.append(cached_pairs(other, root, tmp_path).key(0))
    assert len(set(keys)) == 4


def test_the_same_weights_in_another_layout_have_the_same_hash(files: WanFiles, tmp_path: Path) -> None:
    torch.save({"state_dict": random_vae().state_dict()}, tmp_path / "vae.pth")
    assert vae_hash(tmp_path / "vae.pth") == vae_hash(files.vae)


def test_pairs_do_not_depend_on_what_else_is_there(root: Path) -> None:
    few = FixedPairs(DataConfig(root=str(root), frames=5, side=32, segment=6), DegradationConfig(), 0, 1)
    more = FixedPairs(replace(few.config, open_only=False), DegradationConfig(), 0, 1)
    assert [item.path.name for item in more.items].index("face0.png") == 1
    assert len(more) == 2 * len(few) == 4
    for index in range(2):
        assert all(torch.equal(a, b) for a, b in zip(few[index], more[index], strict=True))
