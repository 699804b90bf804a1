"""Restored frames in any order are, to the bit, those of one pass, and no window is restored twice without need."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from tests.support.mixing_pipeline import MixingPipeline
from tests.support.small_patcher import SmallPatcher
from vfe.face.track.tracks import FaceTracks
from vfe.options import RestoreOptions
from vfe.pipeline.windows import WindowConfig
from vfe.restore.face_stream import FacePart
from vfe.restore.find_faces import scaled
from vfe.restore.passage import Passage
from vfe.restore.picture import InMemory
from vfe.restore.random_access import ReadableClip, RestoredFrames
from vfe.restore.restorer import Restorer
from vfe.restore.work import decide_work
from vfe.types import VFEError, no_progress
from vfe.video.frame import Frame

WIDTH, HEIGHT, COUNT = 64, 48, 130
FRAME_BYTES = WIDTH * HEIGHT * 3 * 4
STEP = WindowConfig().frames - WindowConfig().overlap


def clip_of(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.rand(3, HEIGHT, WIDTH, generator=generator) * 2 - 1 for _ in range(count)]


def opened(
    restorer: Restorer,
    clip: Sequence[Tensor],
    options: RestoreOptions | None = None,
    kept: int = 0,
    read: Callable[[int], Tensor] | None = None,
) -> RestoredFrames:
    info = InMemory(WIDTH, HEIGHT, "the clip", len(clip))
    readable = ReadableClip(info, read or (lambda number: clip[number]))
    return RestoredFrames(restorer, readable, options or RestoreOptions(), kept * FRAME_BYTES)


def one_pass(restorer: Restorer, clip: Sequence[Tensor], options: RestoreOptions | None = None) -> list[Tensor]:
    options = options or RestoreOptions()
    frames = [Frame(pixels) for pixels in clip]
    plan = restorer.plan(InMemory(WIDTH, HEIGHT, "the clip", len(clip)), frames, options)
    size = options.output_size(WIDTH, HEIGHT)
    work = decide_work(restorer.pipeline, restorer.face_part, plan, options, size)
    return [pixels for _, pixels in Passage(work, size).of(frames, no_progress)]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small faces, one on all frames."""

    def find(info: InMemory, frames: Any, options: RestoreOptions, *_: object) -> FaceTracks:  # noqa: ANN401
        count = sum(1 for _ in frames)
        tracks = (
            track_of(moving_boxes(count, (4, 6, 24, 32), (0.2, 0)), 0, 1),
            track_of(moving_boxes(max(1, count - 14), (40, 8, 60, 34), (-0.2, 0)), min(7, count - 1), 2),
        )
        found = FaceTracks(width=info.width, height=info.height, frames=count, cuts=(), tracks=tracks)
        return scaled(found, *options.output_size(info.width, info.height))

    monkeypatch.setattr("vfe.restore.find_faces.find_tracks", find)
    for patcher in ("FacePatcher", "AlignedPatcher"):
        monkeypatch.setattr(f"vfe.restore.face_stream.{patcher}", SmallPatcher)


@pytest.mark.parametrize("count", [1, 24, 25, 26, 44, 45, 46, 130])
@pytest.mark.parametrize("window", [WindowConfig(), WindowConfig(9, 0), WindowConfig(1, 0)], ids=str)
def test_any_order_gives_the_frames_of_one_pass(count: int, window: WindowConfig) -> None:
    clip, restorer = clip_of(count), Restorer(MixingPipeline(window))
    whole, frames = one_pass(restorer, clip), opened(restorer, clip)
    for number in random.Random(count).choices(range(count), k=40):
        assert torch.equal(frames.frame(number), whole[number])


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    "options",
    [
        RestoreOptions(),
        RestoreOptions(region="face", strength=0.7),
        RestoreOptions(region="auto", blend=0.6),
        RestoreOptions(region="face", fidelity=1.0),
    ],
    ids=["frame", "face", "auto", "faithful"],
)
def test_faces_are_those_of_one_pass_too(options: RestoreOptions) -> None:
    restorer = Restorer(MixingPipeline(), FacePart(MixingPipeline(), is_aligned=True))
    clip = clip_of(COUNT)
    whole, frames = one_pass(restorer, clip, options), opened(restorer, clip, options)
    for number in random.Random(1).sample(range(COUNT), 20):
        assert torch.equal(frames.frame(number), whole[number])


def test_bars_that_change_are_those_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars above and below, then on one side, then black, then none."""
    monkeypatch.setattr("vfe.pipeline.bars.LEAST_SIDE", 8)
    clip = clip_of(COUNT)
    for number, frame in enumerate(clip):
        dark = (slice(0, 17), slice(44, 48)) if number < 40 else (slice(0, 48),) if 60 <= number < 100 else ()
        for rows in dark:
            frame[:, rows] = -1
        if 40 <= number < 60:
            frame[:, :, :13] = -1
    restorer = Restorer(MixingPipeline())
    whole, frames = one_pass(restorer, clip), opened(restorer, clip)
    for number in random.Random(3).sample(range(COUNT), 40):
        assert torch.equal(frames.frame(number), whole[number])
    assert not torch.equal(whole[5], clip[5])
    for number in (5, 80):
        assert torch.equal(whole[number][:, :17], clip[number][:, :17])


@pytest.mark.usefixtures("found")
def test_other_sizes_are_those_of_one_pass() -> None:
    restorer, clip, options = Restorer(MixingPipeline()), clip_of(30), RestoreOptions(region="face", scale=1.5)
    whole, frames = one_pass(restorer, clip, options), opened(restorer, clip, options)
    assert frames.frame(29).shape == (3, 72, 96)
    assert torch.equal(frames.frame(29), whole[29])


def windows_of(numbers: Sequence[int], kept: int = 0) -> int:
    """How many windows are restored for these frames, asked for in this order."""
    pipeline = MixingPipeline()
    frames = opened(Restorer(pipeline), clip_of(COUNT), kept=kept)
    for number in numbers:
        frames.frame(number)
    return pipeline.windows


def windows_of_one_pass() -> int:
    pipeline = MixingPipeline()
    one_pass(Restorer(pipeline), clip_of(COUNT))
    return pipeline.windows


def test_reading_on_costs_what_one_pass_costs() -> None:
    assert windows_of(range(COUNT)) == windows_of_one_pass()


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("region", ["frame", "face"])
def test_reading_on_costs_what_one_pass_costs_with_faces(region: Any) -> None:  # noqa: ANN401
    counts = []
    for reads_on in (True, False):
        parts = MixingPipeline(), MixingPipeline()
        restorer, clip, options = Restorer(parts[0], FacePart(parts[1])), clip_of(COUNT), RestoreOptions(region=region)
        if reads_on:
            frames = opened(restorer, clip, options)
            for number in range(COUNT):
                frames.frame(number)
        else:
            one_pass(restorer, clip, options)
        counts.append([part.windows for part in parts])
    assert counts[0] == counts[1]


def test_a_frame_alone_takes_one_window_or_two_where_they_meet() -> None:
    assert windows_of([3 * STEP + 7]) == 1
    assert windows_of([3 * STEP]) == 2
    assert windows_of([0]) == 1


def test_a_window_serves_all_its_frames() -> None:
    assert windows_of([*range(3 * STEP + 5, 4 * STEP)][::-1]) == 1


def test_frames_that_are_kept_are_not_restored_again() -> None:
    assert windows_of([*range(COUNT), *range(COUNT)], kept=COUNT) == windows_of_one_pass()


def test_threads_that_are_a_little_ahead_cost_nothing() -> None:
    numbers = [number for block in range(0, COUNT, 10) for number in reversed(range(block, min(block + 10, COUNT)))]
    assert windows_of(numbers) == windows_of_one_pass()


def test_backwards_a_window_is_restored_twice_at_most() -> None:
    assert windows_of([*range(COUNT)][::-1]) <= 2 * windows_of_one_pass()


def test_what_is_kept_is_bounded() -> None:
    frames = opened(Restorer(MixingPipeline()), clip_of(COUNT), kept=50)
    for number in range(COUNT):
        frames.frame(number)
    kept = [pixels.untyped_storage().nbytes() for pixels in frames._kept.values()]
    assert sum(kept) == 50 * FRAME_BYTES


def test_threads_restore_no_window_twice() -> None:
    pipeline, clip = MixingPipeline(), clip_of(COUNT)
    frames = opened(Restorer(pipeline), clip, kept=COUNT)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(frames.frame, range(COUNT)))
    assert pipeline.windows == windows_of_one_pass()
    assert all(map(torch.equal, got, one_pass(Restorer(MixingPipeline()), clip)))


def test_two_clips_that_share_a_restorer_take_turns() -> None:
    class Watched(MixingPipeline):
        inside = most = 0

        def restore_window(self, *given: Any) -> list[Tensor]:  # noqa: ANN401
            self.inside += 1
            self.most = max(self.most, self.inside)
            restored = super().restore_window(*given)
            torch.rand(300, 300).svd()  # gives the other thread time
            self.inside -= 1
            return restored

    pipeline = Watched()
    restorer = Restorer(pipeline)
    both = [opened(restorer, clip_of(60)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda frames: [frames.frame(number) for number in range(60)], both))
    assert pipeline.most == 1


def test_after_an_error_of_reading_the_frames_are_right() -> None:
    clip, broken = clip_of(COUNT), {70}

    def read(number: int) -> Tensor:
        if number in broken:
            raise VFEError("frame 70 cannot be read")
        return clip[number]

    restorer = Restorer(MixingPipeline())
    frames, whole = opened(restorer, clip, read=read), one_pass(restorer, clip)
    assert torch.equal(frames.frame(30), whole[30])
    with pytest.raises(VFEError, match="frame 70"):
        frames.frame(70)
    broken.clear()
    assert torch.equal(frames.frame(71), whole[71])
