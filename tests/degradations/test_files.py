"""Twins of clips: the same seed gives the same file, long clips go stretch by stretch, times and sizes stay."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import Clip, read_pixels, write_clip
from vfe.degradations import files
from vfe.degradations.files import degrade_file, seed_of
from vfe.degradations.presets import preset_family
from vfe.types import VFEError
from vfe.video.write import SinkConfig

LOSSLESS = SinkConfig(crf=4)


def twin(clean: Path, name: str, seed: int, preset: str = "medium", frames: int | None = None) -> Path:
    path = clean.with_name(name)
    degrade_file(clean, path, preset_family(preset), seed, LOSSLESS, frames=frames)
    return path


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    clean = write_clip(tmp_path / "clean.mp4")
    once, again, other = (twin(clean, f"{name}.mp4", seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert once.read_bytes() == again.read_bytes()
    assert once.read_bytes() != other.read_bytes()


def test_size_times_and_sound_stay(tmp_path: Path) -> None:
    clean = write_clip(
        tmp_path / "clean.mkv", Clip(frames=5, width=50, height=38, pts=(0, 40, 90, 130, 300), audio=True)
    )
    lq = twin(clean, "lq.mkv", 0)
    assert read_pixels(lq).shape == read_pixels(clean).shape
    with av.open(str(clean)) as a, av.open(str(lq)) as b:
        assert [frame.time for frame in a.decode(video=0)] == pytest.approx([frame.time for frame in b.decode(video=0)])
        assert len(b.streams.audio) == 1


def test_a_long_clip_goes_stretch_by_stretch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = write_clip(tmp_path / "clean.mp4", Clip(frames=7))
    monkeypatch.setattr(files, "MOST_PIXELS", 3 * 64 * 48)
    stretches: list[int] = []
    path = tmp_path / "lq.mp4"
    count = degrade_file(
        clean, path, preset_family("mild"), 0, LOSSLESS, on_progress=lambda done, _: stretches.append(done)
    )
    assert count == 7
    assert stretches == [3, 6, 7]
    assert len(read_pixels(path)) == 7


def test_only_the_first_frames(tmp_path: Path) -> None:
    clean = write_clip(tmp_path / "clean.mp4", Clip(frames=7))
    assert len(read_pixels(twin(clean, "lq.mp4", 0, frames=3))) == 3


def test_a_worse_level_is_further_from_the_clean_clip(tmp_path: Path) -> None:
    clean = write_clip(tmp_path / "clean.mp4", Clip(width=128, height=96))
    true = read_pixels(clean).astype(float)
    errors = [np.square(read_pixels(twin(clean, f"{p}.mp4", 0, p)) - true).mean() for p in ("mild", "medium", "severe")]
    assert errors == sorted(errors)


def test_a_twin_never_replaces_its_clean_clip(tmp_path: Path) -> None:
    clean = write_clip(tmp_path / "clean.mp4")
    content = clean.read_bytes()
    with pytest.raises(VFEError):
        degrade_file(clean, clean, preset_family("mild"), 0, SinkConfig(crf=4, overwrite=True))
    assert clean.read_bytes() == content


def test_clips_of_a_folder_have_seeds_of_their_own() -> None:
    assert seed_of("a", 0) == seed_of("a", 0)
    assert len({seed_of("a", 0), seed_of("b", 0), seed_of("a", 1)}) == 3
