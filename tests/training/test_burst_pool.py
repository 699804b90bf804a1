"""Pairs on disk: what is made of clean faces by encoders and the part for frames, and what training draws of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.packed_faces import SIDE, tiny_pack
from tests.support.tiny_lite import tiny_lite
from training.burst import fill_pool
from training.burst.damage.camera import Camera
from training.burst.damage.encoded import RealCodec
from training.burst.damage.quantise import Codec
from training.burst.fill_pool import PAIRS_OF_SHARD, PoolMaker
from training.burst.frame_part import FramePart
from training.burst.packed import PackedAlbum, read_packed_album, write_pack
from training.burst.pool import MixedLengths, PairPool, shard_name, write_shard
from vfe.types import VFEError
from vfe.weights.lite import save_lite_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> PackedAlbum:
    folder = tmp_path_factory.mktemp("packed")
    write_pack(folder, tiny_pack(frames_of_clip=16))
    return read_packed_album(folder, CPU)


def test_encoders_change_frames_and_keep_their_colours() -> None:
    """Worse with a higher QP; a clip that no codec is used on stays to the bit."""
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8) * 200 + 20, (64, 64), mode="bicubic")
    video = (smooth + torch.randn(5, 3, 64, 64) * 4).round().clamp(0, 255).expand(3, -1, -1, -1, -1).contiguous()
    used = torch.tensor([True, True, False])
    for table in (False, True):
        kind = torch.full((3,), table)
        still = Camera(torch.ones(3), torch.zeros(3, 5), torch.zeros(3, 5, 2))
        coded = RealCodec(0)(video, Codec(torch.tensor([14.0, 40.0, 40.0]), kind, kind & False, used), still)
        errors = (coded - video).square().mean((1, 2, 3, 4))
        assert errors[1] > errors[0] > 0
        assert errors[2] == 0
        assert (coded - video).mean((1, 3, 4)).abs().max() < 1


def test_pairs_are_cut_of_one_clip_and_the_same_again(album: PackedAlbum) -> None:
    maker, again = (PoolMaker(album, FramePart(tiny_lite(0.02)), 5) for _ in range(2))
    pairs = maker(3, 4)
    assert pairs.shape == (3, 3, 4, 3, SIDE, SIDE)
    assert np.array_equal(pairs, again(3, 4))
    assert maker(3, 5).shape == (3, 3, 5, 3, SIDE, SIDE)


def test_a_pool_goes_on_and_forgets_the_oldest(
    album: PackedAlbum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr("training.burst.fill_pool.perf_counter", lambda: 15 * next(seconds))
    maker = PoolMaker(album, FramePart(tiny_lite(0.02)), 5)
    for minutes, expected in ((1.0, [0, 1]), (0.5, [1, 2])):
        fill_pool.fill(maker, tmp_path, 4, 2, minutes)
        assert sorted(path.name for path in tmp_path.iterdir()) == [shard_name(number) for number in expected]
    pool = PairPool(tmp_path, CPU, album.list_sha256)
    pairs = pool(0, 3)
    assert pairs.degraded.shape == pairs.clean.shape == (3, 3, 4, SIDE, SIDE)
    last = PairPool(tmp_path, CPU, album.list_sha256, 3)(0, 3)
    assert torch.equal(last.degraded, pairs.degraded[:, :, 1:])
    assert pairs.clean.abs().max() <= 1
    assert len(np.load(tmp_path / shard_name(2))) == PAIRS_OF_SHARD


def test_pairs_that_follow_each_other_make_longer_clips(tmp_path: Path) -> None:
    frames = np.arange(2 * 13).reshape(2, 13)  # two clips of 13 frames, cut as `PoolMaker` cuts them
    cut = np.stack([frames[clip, start : start + 5] for clip in range(2) for start in (0, 4, 8)])
    write_shard(
        tmp_path / shard_name(0), np.tile(cut[:, None, :, None, None, None], (1, 3, 1, 3, 8, 8)).astype(np.uint8)
    )
    pool = PairPool(tmp_path, CPU, "0", 4, MixedLengths(join_every=2, still_every=4))
    assert [pool.longer(step) for step in range(4)] == [True, False, True, False]
    assert pool(3, 3).clean.shape == (3, 3, 4, 8, 8)
    firsts = pool(5, 9).clean[:, 0, :, 0, 0] * 127.5 + 127.5
    assert {round(float(first)) for first in firsts.flatten()} <= {0, 4, 8, 13, 17, 21}
    assert firsts.shape == (9, 1)
    for clip in pool(0, 8).clean[:, 0, :, 0, 0] * 127.5 + 127.5:
        assert clip.round().tolist() in [list(range(1, 13)), list(range(14, 26))]
    write_shard(tmp_path / shard_name(0), np.zeros((3, 3, 9, 3, 8, 8), np.uint8))
    with pytest.raises(VFEError, match="pairs have 9 frames"):
        pool(0, 1)
    with pytest.raises(VFEError, match="still_every=0: needed at least 1"):
        MixedLengths(still_every=0)


def test_an_empty_pool_is_one_line(tmp_path: Path) -> None:
    pool = PairPool(tmp_path, CPU, "0")
    with pytest.raises(VFEError, match="holds no pairs; fill it"):
        pool(0, 1)
    with pytest.raises(VFEError, match=r"held_out\.npy does not exist"):
        pool.held_out(2)


def test_clean_clips_stand_on_both_sides_for_codebooks(tmp_path: Path) -> None:
    write_shard(
        tmp_path / shard_name(0),
        np.stack([np.full((1, 3, 8, 8), level, np.uint8) for level in (9, 200, 5)])[None],
    )
    alone = PairPool(tmp_path, CPU, "0").clean_alone(0, 2)
    assert torch.equal(alone.degraded, alone.clean)
    assert (alone.clean == 200 / 127.5 - 1).all()


def test_the_command_makes_pairs_that_training_reads(album: PackedAlbum, tmp_path: Path) -> None:
    write_pack(tmp_path / "data", tiny_pack(frames_of_clip=16))
    save_lite_model(tmp_path / "lite.safetensors", tiny_lite(0.02), {})
    out = tmp_path / "pool"
    command = ["--data", str(tmp_path / "data"), "--frame-part", str(tmp_path / "lite.safetensors"), "--out", str(out)]
    fill_pool.main([*command, "--minutes", "0", "--held-out", "2"])
    held_out = PairPool(out, CPU, album.list_sha256).held_out(2)
    assert held_out.clean.shape == (2, 3, 5, SIDE, SIDE)
    with pytest.raises(SystemExit, match="--frames 6"):
        fill_pool.main([*command, "--minutes", "0", "--frames", "6"])
