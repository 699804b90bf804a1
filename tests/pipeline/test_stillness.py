"""What stands still in footage stands still in what is restored of it; what moves, fades or is cut stays as it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.pipeline.keeping import keeping
from vfe.pipeline.one_step import OneStepPipeline
from vfe.pipeline.stillness import SHARE, keep_still_, share_of_neighbour
from vfe.pipeline.windows import ClipStream, WindowConfig

LEVEL = 1 / 127.5


def noise(frames: list[Tensor], levels: float, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [frame + torch.randn(frame.shape, generator=generator) * levels * LEVEL for frame in frames]


def kept(frames: list[Tensor], made: list[Tensor]) -> list[Tensor]:
    after = [frame.clone() for frame in made]
    keep_still_(frames, after)
    return after


def shimmer(frames: list[Tensor]) -> float:
    """How much frames change from one to the next, a root mean square in levels."""
    clip = torch.stack(frames)
    return float((clip[1:] - clip[:-1]).square().mean().sqrt() / LEVEL)


def still(frames: int = 9) -> list[Tensor]:
    return [drifting_pattern(1, 64, 80)[0, :, 0]] * frames


def moving(frames: int = 9) -> list[Tensor]:
    return list(drifting_pattern(frames, 64, 80)[0].unbind(1))


def test_a_still_picture_stands_still() -> None:
    made = noise(still(), 2)
    after = kept(still(), made)
    assert shimmer(after) < shimmer(made) / 5
    for frame, clean in zip(after, still(), strict=True):
        assert (frame - clean).square().mean().sqrt() < 1.5 * LEVEL


def test_what_moves_stays_as_it_is_to_the_bit() -> None:
    made = noise(moving(), 2)
    for frame, as_made in zip(kept(moving(), made), made, strict=True):
        assert torch.equal(frame, as_made)


def test_what_moves_before_a_still_wall_stays_as_it_is() -> None:
    frames = [torch.cat([one, other], -1) for one, other in zip(moving(), still(), strict=True)]
    made = noise(frames, 2)
    after = kept(frames, made)
    for frame, as_made in zip(after, made, strict=True):
        torch.testing.assert_close(frame[..., :72], as_made[..., :72], atol=0.02 * LEVEL, rtol=0)
    assert shimmer([frame[..., 96:] for frame in after]) < shimmer([frame[..., 96:] for frame in made]) / 5


def test_nothing_is_mixed_across_a_cut() -> None:
    frames = still(4) + [frame.flip(-1) for frame in still(4)]
    for frame, after in zip(frames, kept(frames, frames), strict=True):
        torch.testing.assert_close(after, frame, atol=1e-6, rtol=0)


def test_what_restoring_leaves_alone_stays_as_it_was() -> None:
    """A slow fade is not late, and grain stays."""
    fade = [torch.full((3, 64, 80), -0.5 + index * 0.3 * LEVEL) for index in range(25)]
    grain = noise(still(), 0.5)
    for frames in (fade, grain):
        for frame, after in zip(frames, kept(frames, frames), strict=True):
            torch.testing.assert_close(after, frame, atol=1e-6, rtol=0)


def test_a_fade_is_restored_as_evenly_as_a_still_picture() -> None:
    frames = [torch.full((3, 64, 80), -0.5 + index * 0.3 * LEVEL) for index in range(25)]
    made = noise(frames, 2)
    before, after = (
        [new - frame for new, frame in zip(clip, frames, strict=True)] for clip in (made, kept(frames, made))
    )
    assert shimmer(after) < shimmer(before) / 4


def test_the_result_is_a_picture() -> None:
    frames = [torch.full((3, 64, 80), 0.998 + index * 0.5 * LEVEL).clamp(max=1) for index in range(9)]
    made = [torch.full_like(frame, 1 - 1e-4 * index) for index, frame in enumerate(frames)]
    assert all(frame.max() <= 1 for frame in kept(frames, made))


def test_a_level_of_change_is_averaged_less_the_more_it_is() -> None:
    frame = still(1)[0]
    shares = [float(share_of_neighbour(frame, frame + levels * LEVEL).max()) for levels in (0, 0.5, 1, 2, 3)]
    assert shares[0] == pytest.approx(SHARE)
    assert shares[2] == pytest.approx(SHARE / torch.e, rel=1e-3)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0


def test_batches_and_frames_of_any_size() -> None:
    batch = [torch.stack([one, other]) for one, other in zip(still(), moving(), strict=True)]
    made = noise(batch, 2)
    both = kept(batch, made)
    for index, of_one in enumerate((still(), moving())):
        alone = kept(of_one, [frame[index] for frame in made])
        for frame, one in zip(both, alone, strict=True):
            torch.testing.assert_close(frame[index], one)
    for side in (1, 7, 9):
        nothing = [torch.zeros(3, side, side)] * 9
        shimmering = noise(nothing, 2)
        assert shimmer(kept(nothing, shimmering)) < shimmer(shimmering) / 2


def test_a_frame_that_is_no_picture_harms_no_other() -> None:
    frames = still()
    frames[4] = torch.full_like(frames[4], float("nan"))
    after = kept(frames, frames)
    assert [bool(frame.isnan().any()) for frame in after] == [index == 4 for index in range(9)]


def test_the_model_shimmers_less_than_it_would() -> None:
    """On frames that are all the same, as of a codec that skips."""
    pipeline = OneStepPipeline(tiny_lite(0.02), WindowConfig(9, 1))
    frames = still(17)
    alone = list(ClipStream(pipeline).pull(frames))
    steadied = list(ClipStream(keeping(pipeline)).pull(frames))
    assert shimmer(steadied) < shimmer(alone) / 2
    assert not any(torch.equal(one, frame) for one, frame in zip(steadied, frames, strict=True))
