"""The clip of the no-argument quickstart."""

from __future__ import annotations

from pathlib import Path

import av
import torch

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
