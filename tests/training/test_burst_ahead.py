"""Pairs that threads make ahead, and clips that go through a program."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import Tensor

from tests.support.packed_faces import SIDE, tiny_pack
from tests.support.tiny_lite import tiny_lite
from training.burst.ahead import FRAMES, LENGTHS, AheadConfig, BatchMaker, PairsAhead
from training.burst.damage.camera import Camera
from training.burst.damage.quantise import Codec, apply_codec
from training.burst.damage.x264 import X264Codec
from training.burst.frame_part import FramePart
from training.burst.packed import PackedAlbum, read_packed_album, write_pack
from training.burst.plan import PlanConfig
from vfe.types import VFEError

CPU = torch.device("cpu")
PROGRAM = """#!{python}
import sys
data = sys.stdin.buffer.read()
side = int(sys.argv[sys.argv.index("--input-res") + 1].split("x")[0])
assert len(data) % (side * side * 3 // 2) == 0
open(sys.argv[sys.argv.index("--dump-yuv") + 1], "wb").write(bytes(255 - value for value in data))
"""


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> PackedAlbum:
    folder = tmp_path_factory.mktemp("packed")
    write_pack(folder, tiny_pack(frames_of_clip=16))
    return read_packed_album(folder, CPU)


def codec_of(table: list[bool], used: list[bool]) -> Codec:
    count = len(table)
    return Codec(torch.full((count,), 30.0), torch.tensor(table), torch.zeros(count).bool(), torch.tensor(used))


def camera_of(ratios: list[float], frames: int) -> Camera:
    return Camera(torch.tensor(ratios), torch.zeros(len(ratios), frames), torch.zeros(len(ratios), frames, 2))


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_clips_of_h264_alone_go_through_the_program(tmp_path: Path) -> None:
    """The program in the place of x264 makes negatives (whose grey of 127 is not quite grey); the second clip's face is
    half as large as its frames."""
    program = tmp_path / "negative"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    grey = torch.tensor([40.0, 90.0, 140.0, 190.0]).view(-1, 1, 1, 1, 1).expand(4, 3, 3, 80, 80)
    codec = codec_of([False, False, True, False], [True, True, True, False])
    camera = camera_of([1.0, 2.0, 1.0, 1.0], 3)
    with ThreadPoolExecutor(2) as threads:
        coded = X264Codec(program, 64, threads)(grey.clone(), codec, camera)
    torch.testing.assert_close(coded[0], 255 - grey[0], atol=2, rtol=0)
    inner, outer = coded[1, :, :, 26:54, 26:54], coded[1, :, :, :8]
    torch.testing.assert_close(inner, torch.full_like(inner, 165.0), atol=2, rtol=0)
    torch.testing.assert_close(outer, torch.full_like(outer, 90.0), atol=0.01, rtol=0)
    torch.testing.assert_close(coded[2:], apply_codec(grey, codec, camera)[2:])


def test_a_program_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(VFEError, match="is no program"):
        X264Codec(tmp_path / "x264", 64, threads)


def test_pairs_come_in_all_lengths_and_the_ring_forgets(album: PackedAlbum) -> None:
    config = AheadConfig(batch=3, kept=6, reuse=0.5)
    made: list[int] = []

    class Counting(BatchMaker):
        def __call__(self, seed: int, number: int, pairs: int) -> torch.Tensor:
            made.append(number)
            return super().__call__(seed, number, pairs)

    maker = Counting(album, config, FramePart(tiny_lite(0.02)), apply_codec)
    with PairsAhead(album, config, [maker], maker) as pairs:
        for step, length in enumerate(LENGTHS):
            batch = pairs(step, 2)
            assert all(video.shape == (2, 3, length, SIDE, SIDE) for video in batch)
            assert not torch.equal(batch.degraded, batch.clean)
            assert max(float(video.abs().max()) for video in batch) <= 1
        for step in count():
            pairs(step, 2)
            if max(made) > config.kept // config.batch:
                break
        held_out = pairs.held_out(3)
    assert held_out.clean.shape == (3, 3, 8, SIDE, SIDE)


def test_a_batch_is_a_function_of_its_seed_and_number(album: PackedAlbum) -> None:
    maker = BatchMaker(album, AheadConfig(), FramePart(tiny_lite(0.02)), apply_codec)
    for number in (3, 4):  # faces that are small in their frames, and large ones
        batch = maker(0, number, 2)
        assert batch.shape == (2, 3, FRAMES, 3, SIDE, SIDE)
        assert torch.equal(batch, maker(0, number, 2))
    assert not torch.equal(batch, maker(1, 4, 2))


class FirstBatchMaker(BatchMaker):
    """Makes no second batch until `go_on`: else it depends on the threads whether that is there already."""

    go_on: Event

    def __call__(self, seed: int, number: int, count: int) -> Tensor:
        if number:
            self.go_on.wait()
        return super().__call__(seed, number, count)


def test_the_seed_of_a_run_draws_its_pairs(album: PackedAlbum) -> None:
    batches = []
    for seed in (0, 0, 1):
        config = AheadConfig(batch=2, kept=2, seed=seed)
        maker = FirstBatchMaker(album, config, FramePart(tiny_lite(0.02)), apply_codec)
        maker.go_on = Event()
        with PairsAhead(album, config, [maker], maker) as pairs:
            try:
                batches.append(pairs(0, 2).clean)
            finally:
                maker.go_on.set()
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


def test_a_prior_and_a_program_are_one_line() -> None:
    with pytest.raises(VFEError, match="reuse is for pairs that are made ahead"):
        PlanConfig(reuse=4.0)
    with pytest.raises(VFEError, match="name stages of fidelity, adversary"):
        PlanConfig(x264=Path("x264"), frame_part=Path("lite.safetensors"))


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"kept": 2, "batch": 3}, {"reuse": 0.0}])
def test_a_ring_needs_room_for_a_batch(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        AheadConfig(**wrong)  # type: ignore[arg-type]
