"""Data of distillation: footage without clean twins among pairs, and twins of one crop at two severities."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.clips import Clip, write_clip
from tests.support.training_set import write_training_set
from training.data.clips import DataConfig, FaceClips
from training.distill.clips import DistillClips, Severities
from training.distill.kept_clips import KeptClips
from training.distill.real_clips import RealConfig, list_real, read_stretch
from training.run.stage import Slots
from vfe.degradations.vividface import DegradationConfig
from vfe.types import VFEError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two open clips without twins: one long enough, one too short; one that is not open."""
    root = write_training_set(tmp_path / "data")
    (root / "lq_real").mkdir()
    items = json.loads((root / "manifest.json").read_text())["items"]
    for name, frames, is_open in (("long", 7, True), ("short", 3, True), ("closed", 7, False)):
        write_clip(root / f"lq_real/{name}.mp4", Clip(frames=frames, width=96, height=64))
        items.append({"file": f"lq_real/{name}.mp4", "kind": "lq_video", "frames": frames, "open": is_open})
    (root / "manifest.json").write_text(json.dumps({"items": items}))
    return root


def config(root: Path, **changes: object) -> DataConfig:
    return DataConfig(**{"root": str(root), "frames": 5, "side": 32, "batch": 4, "segment": 6, "reuse": 2, **changes})  # type: ignore[arg-type]


def pairs(root: Path, start: int = 0, slots: Slots | None = None) -> FaceClips:
    return FaceClips(config(root), DegradationConfig(), 0, start, slots)


def same(first: Iterator[tuple[Tensor, ...]], second: Iterator[tuple[Tensor, ...]], count: int = 2) -> bool:
    both = zip(islice(first, count), islice(second, count), strict=True)
    return all(torch.equal(a, b) for one, other in both for a, b in zip(one, other, strict=True))


def test_only_open_clips_that_are_long_enough_are_taken(root: Path, tmp_path: Path) -> None:
    assert [clip.path.stem for clip in list_real(RealConfig(root=str(root)), config(root))] == ["long"]
    everything = list_real(RealConfig(root=str(root)), config(root, open_only=False))
    assert [clip.path.stem for clip in everything] == ["long", "closed"]
    folder = list_real(RealConfig(root=str(root / "lq_real"), longest=6), config(root))  # no manifest: all videos
    assert [(clip.path.stem, clip.frames) for clip in folder] == [("closed", 6), ("long", 6)]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="0 degraded clips, none with 5 frames of 32 x 32"):
        list_real(RealConfig(root=str(tmp_path / "empty")), config(root))
    with pytest.raises(ValueError, match="3 degraded clips, none with 5 frames of 72 x 72"):
        list_real(RealConfig(root=str(root / "lq_real")), config(root, side=72))


def test_footage_is_shown_as_it_is_and_has_no_twin(root: Path) -> None:
    stream = DistillClips(pairs(root), RealConfig(root=str(root), share=1.0))
    degraded, clean, mask, paired = next(iter(stream))
    assert degraded.shape == (4, 5, 32, 32, 3)
    assert not paired.any()
    assert not clean.any()
    assert not mask.any()
    assert degraded.float().std() > 1
    assert len({clip.sum().item() for clip in degraded}) > 1  # several places


def test_a_share_of_the_slots_and_a_pure_function_of_the_number(root: Path) -> None:
    real = RealConfig(root=str(root), share=0.5)
    shown = torch.cat([batch[3] for batch in islice(DistillClips(pairs(root), real), 12)])
    assert 0.2 < shown.float().mean() < 0.8
    late = islice(iter(DistillClips(pairs(root), real)), 3, None)
    assert same(iter(DistillClips(pairs(root, 3), real)), late)
    half = DistillClips(pairs(root, 3, Slots(2, 2, 4)), real)
    cut = (tuple(part[2:] for part in batch) for batch in DistillClips(pairs(root, 3), real))
    assert same(iter(half), cut)


def test_without_footage_it_is_plain_training(root: Path) -> None:
    for real in (None, RealConfig(root="nowhere", share=0.0)):
        plain = (tuple(batch[:3]) for batch in DistillClips(pairs(root), real))
        assert same(iter(pairs(root)), plain)


def test_twins_are_of_one_crop_at_two_severities(root: Path) -> None:
    stream = iter(DistillClips(pairs(root), None, Severities(0.3)))
    nearer = []
    for degraded, clean, _, paired, milder in islice(stream, 4):
        assert paired.all()
        assert milder.shape == degraded.shape
        error = (degraded.float() - clean.float()).square().mean((1, 2, 3, 4))
        nearer.append((milder.float() - clean.float()).square().mean((1, 2, 3, 4)) < error)
    assert torch.cat(nearer).float().mean() > 0.9  # one crop: of another, the error would be that of pictures
    for degraded, clean, _, _, milder in islice(iter(DistillClips(pairs(root), None, Severities(0.0))), 2):
        assert torch.equal(milder, clean)
        assert not torch.equal(milder, degraded)
    for degraded, _, _, _, milder in islice(iter(DistillClips(pairs(root), None, Severities(1.0))), 2):
        assert torch.equal(milder, degraded)


def test_kept_clips_come_again(root: Path) -> None:
    stream = DistillClips(pairs(root), RealConfig(root=str(root), share=0.5))
    seen = {clip.numpy().tobytes() for batch in islice(KeptClips(stream, 3), 8) for clip in batch[0]}
    assert len(seen) == 3
    late = islice(iter(KeptClips(stream, 3)), 3, None)
    assert same(iter(KeptClips(DistillClips(pairs(root, 3), RealConfig(root=str(root))), 3)), late)
    with pytest.raises(ValueError, match="clips=0"):
        KeptClips(stream, 0)


def test_a_file_that_ends_early_gives_its_last_frames(root: Path) -> None:
    import numpy as np

    [clip] = list_real(RealConfig(root=str(root)), config(root))
    claimed = type(clip)(clip.path, 40)
    for seed in range(3):
        assert len(read_stretch(claimed, config(root), np.random.default_rng(seed))) == 6
    short = type(clip)(root / "lq_real/short.mp4", 40)
    with pytest.raises(VFEError, match=r"short\.mp4: only 3 frames can be read; needed are 5"):
        read_stretch(short, config(root), np.random.default_rng(0))
