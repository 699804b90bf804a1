"""The clip of the no-argument quickstart, and the moving picture of the README."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import torch
from PIL import Image

from benchmarks.before_after import before_and_after, write_animation
from training.demo import clean_clip, degraded_clip, write_clip


def test_the_clip_moves_gently_and_its_damage_is_fixed(tmp_path: Path) -> None:
    clean = clean_clip(frames=6, side=96)
    assert clean.shape == (6, 96, 96, 3)
    assert clean.dtype == torch.uint8
    step = (clean[1:].float() - clean[:-1].float()).abs().mean()
    assert 0.5 < step < 40
    low = degraded_clip(clean)
    assert low.shape == clean.shape
    assert 2 < (low.float() - clean.float()).abs().mean() < 30
    assert torch.equal(low, degraded_clip(clean))
    write_clip(tmp_path / "clip.mp4", low)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6


def test_the_animation_repeats_at_the_rate_of_the_clip(tmp_path: Path) -> None:
    write_animation(tmp_path / "new/a.webp", clean_clip(frames=3, side=32))
    with Image.open(tmp_path / "new/a.webp") as animation:
        assert (animation.n_frames, animation.size, animation.info["loop"]) == (3, (32, 32), 0)  # type: ignore[attr-defined, unused-ignore]
        animation.seek(1)
        animation.load()
        assert animation.info["duration"] == 40


@pytest.mark.slow
def test_the_animation_shows_the_clip_beside_its_restoration() -> None:
    degraded = degraded_clip(clean_clip(frames=2, side=64))
    frames = before_and_after(degraded)
    assert frames.shape == (2, 64, 128, 3)
    assert (frames[:, :, :64].float() - degraded.float()).abs().mean() < 3
    assert (frames[:, :, 64:].float() - degraded.float()).abs().mean() > 1
