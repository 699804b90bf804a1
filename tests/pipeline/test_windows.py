"""Laws of windows: every frame once, pushing equals pulling, and a window's latent decodes to its frames."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from tests.support.mixing_pipeline import MixingPipeline
from tests.support.tiny_lite import drifting_pattern, tiny_lite, tiny_lite_with_prior
from tests.support.tiny_wan import sizes_of, tiny_wan
from vfe.device import GIB
from vfe.models.prior import PriorStrength
from vfe.pipeline.keeping import keeping
from vfe.pipeline.latents import latent_mask
from vfe.pipeline.memory_aware import MemoryAwarePipeline
from vfe.pipeline.one_step import ClipStream, OneStepPipeline, TileConfig, WindowConfig
from vfe.pipeline.windows import ClipPart, CrossFader, Window, WindowGatherer
from vfe.types import Stretch, never_cancelled

CONFIGS = [WindowConfig(9, 4), WindowConfig(9, 0), WindowConfig(5, 1), WindowConfig(13, 5)]
CLIP = drifting_pattern(9)[0].unbind(1)
TILE = TileConfig(128, 64)


def windows_of(count: int, config: WindowConfig) -> list[Window]:
    """Of a clip whose frames are their own numbers."""
    gatherer = WindowGatherer(config)
    pushed = [gatherer.push(torch.tensor(float(index))) for index in range(count)]
    return [window for window in (*pushed, gatherer.finish()) if window is not None]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("count", [1, 4, 9, 10, 13, 14, 22, 27])
def test_windows_know_their_frames_and_which_are_new(count: int, config: WindowConfig) -> None:
    windows = windows_of(count, config)
    for window in windows:
        assert torch.stack(window.frames).tolist() == list(range(window.start, window.start + len(window.frames)))
        assert len(window.frames) <= config.frames
    fresh = [window.start + index for window in windows for index in range(window.fresh, len(window.frames))]
    assert fresh == list(range(count))


def test_overlaps_of_4k_plus_1_start_windows_on_groups_of_four() -> None:
    starts = {window.start % 4 for count in range(1, 40) for window in windows_of(count, WindowConfig(13, 5))}
    assert starts == {0}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("count", [0, 1, 4, 9, 10, 14, 27])
def test_unchanged_windows_fade_to_the_clip(count: int, config: WindowConfig) -> None:
    fader, out = CrossFader(config), list[Tensor]()
    for window in windows_of(count, config):
        out += fader.push(window, window.frames)
        assert fader.given == len(out)
    out += fader.finish()
    assert [round(float(frame), 4) for frame in out] == list(range(count))
    assert fader.given == count


def test_who_keeps_the_last_frame_given_keeps_no_window_with_it() -> None:
    clip = torch.arange(9.0)  # frames that are views of one memory, as a decoder gives them
    fader = CrossFader(WindowConfig(9, 4))
    given = fader.push(Window(list(clip), 0, 0), list(clip))
    assert [float(frame) for frame in given] == [0, 1, 2, 3, 4]
    for kept in (given[-1], *fader.finish()):
        assert kept.untyped_storage().nbytes() == kept.nbytes


def stretches_of(count: int) -> list[Stretch]:
    """All of a short clip; of a longer one the whole, single frames at its ends and in its middle, and some more."""
    every = [Stretch(start, stop) for start in range(count) for stop in range(start + 1, count + 1)]
    if count < 10:
        return every
    ends = [Stretch(0, count), Stretch(0, 1), Stretch(count // 2, count // 2 + 1), Stretch(count - 1, count)]
    return ends + random.Random(count).sample(every, 12)


@pytest.mark.parametrize("config", [*CONFIGS, WindowConfig(), WindowConfig(1, 0), WindowConfig(9, 3)])
@pytest.mark.parametrize("count", [1, 4, 9, 10, 24, 25, 26, 44, 45, 46, 60, 61, 130])
def test_a_part_is_what_it_is_in_the_whole_clip(count: int, config: WindowConfig) -> None:
    """To the bit, from the frames that it needs and no others."""
    frames = list(torch.rand(count, 3, 2, 2, generator=torch.Generator().manual_seed(count)))
    whole = list(MixingPipeline(config).stream(frames))
    for stretch in stretches_of(count):
        part, pipeline = ClipPart(stretch, count), MixingPipeline(config)
        needed = part.needed(config)
        stream = ClipStream(keeping(pipeline), part=part)
        out = list(stream.pull(frames[needed.start : needed.stop]))
        assert stream.given == len(out) == len(stretch)
        assert torch.equal(torch.stack(out), torch.stack(whole[stretch.start : stretch.stop])), stretch
        assert pipeline.windows <= len(stretch) // (config.frames - config.overlap) + 3
        assert len(needed) <= len(stretch) + 2 * (config.frames - 1)


def test_a_part_reaches_not_beyond_its_clip() -> None:
    with pytest.raises(ValueError, match="frames 3 to 5 are wanted, the clip has 5"):
        ClipPart(Stretch(3, 6), 5)
    with pytest.raises(ValueError, match="needed is at least one frame"):
        Stretch(3, 3)


def test_two_clips_pushed_by_turns_equal_each_pulled_alone() -> None:
    """With batches and without, bit by bit; no frames, nothing."""
    pipeline = OneStepPipeline(tiny_lite(0.02), WindowConfig(9, 4))
    low = (drifting_pattern(23)[0].unbind(1), drifting_pattern(23).flip(-1).unbind(2))
    clips, out = (ClipStream(pipeline), ClipStream(pipeline)), (list[Tensor](), list[Tensor]())
    for frames in zip(*low, strict=True):
        for restorer, frame, restored in zip(clips, frames, out, strict=True):
            restored += restorer.push(frame)
            assert restorer.given == len(restored)
    for restorer, restored in zip(clips, out, strict=True):
        restored += restorer.finish()
    assert torch.equal(torch.stack(out[0]), torch.stack(list(pipeline.stream(low[0]))))
    assert torch.equal(torch.stack(out[1], 2), pipeline.restore(drifting_pattern(23).flip(-1)))
    assert ClipStream(pipeline).finish() == []


@pytest.mark.parametrize(("size", "tile"), [((5, 40, 48), None), ((3, 90, 70), None), ((5, 130, 200), TILE)])
def test_the_latent_of_a_window_decodes_to_its_frames(size: tuple[int, int, int], tile: TileConfig | None) -> None:
    pipeline, frames = OneStepPipeline(tiny_lite_with_prior(), tile=tile), list(drifting_pattern(*size)[0].unbind(1))
    latent = pipeline.restore_latent(frames, 0.8)
    assert (latent.frames, latent.height, latent.width) == size
    assert len(latent.tiles) == (1 if tile is None else 6)
    expected = pipeline.restore_window(frames, 0.8, never_cancelled)
    assert torch.equal(torch.stack(pipeline.decode_latent(latent.to("cpu"))), torch.stack(expected))


def test_the_prior_is_read_unless_it_is_given_or_declined() -> None:
    pipeline, frames = OneStepPipeline(tiny_lite_with_prior()), list(drifting_pattern(5)[0].unbind(1))
    prior = pipeline.read_prior(frames)
    assert prior is not None
    own, given = (pipeline.restore_latent(frames, 1).tiles[0].z_hq, pipeline.restore_latent(frames, 1, prior=prior))
    without = pipeline.restore_latent(frames, 1, prior=None).tiles[0].z_hq
    none = prior._replace(strength=PriorStrength(0, 0))
    assert torch.equal(own, given.tiles[0].z_hq)
    assert not torch.equal(own, without)
    assert torch.equal(pipeline.restore_latent(frames, 1, prior=none).tiles[0].z_hq, without)
    assert OneStepPipeline(tiny_lite()).read_prior(frames) is None


def test_a_mask_scales_the_strength_from_place_to_place() -> None:
    """Also of tiles: 1 changes no bit, 0 leaves the input, a half is half the strength."""
    pipeline, frames = OneStepPipeline(tiny_lite(0.02), tile=TILE), list(drifting_pattern(5, 64, 192)[0].unbind(1))

    def latent(mask: Tensor | None, strength: float = 1.0) -> list[Tensor]:
        return [tile.z_hq for tile in pipeline.restore_latent(frames, strength, mask=mask).tiles]

    whole, ones, half, none = (
        latent(None),
        latent(torch.ones(64, 192)),
        latent(torch.full((5, 64, 192), 0.5)),
        latent(torch.zeros(64, 192)),
    )
    assert len(whole) == 2
    for a, b, c, d, e, f in zip(whole, ones, half, latent(None, 0.5), none, latent(None, 0), strict=True):
        assert torch.equal(a, b)
        assert torch.allclose(c, d, atol=1e-6)
        assert torch.equal(e, f)
    right = torch.zeros(64, 192)
    right[:, 160:] = 1
    restored = pipeline.decode_latent(pipeline.restore_latent(frames, 1, mask=right))
    apart = (torch.stack(restored) - torch.stack(frames)).abs().amax((0, 1, 2))
    assert apart[: 160 - 4].max() < 1e-5
    assert apart[168:].min() > 1e-4


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="mask is"):
        OneStepPipeline(tiny_lite()).restore_latent(list(CLIP), 1, mask=torch.ones(8, 8))


def test_masks_are_meant_over_the_pixels_and_frames_of_a_latent() -> None:
    mask = torch.zeros(9, 16, 8)
    mask[0, :8, :4], mask[1:3, 8:] = 1, 1
    expected = torch.tensor([[0.5, 0], [0, 0.5], [0, 0]])
    assert torch.equal(latent_mask(mask, (3, 2, 1)).flatten(0, 2)[..., 0], expected)
    assert latent_mask(mask[:1], (1, 2, 1)).flatten().tolist() == [0.5, 0]


def test_clips_of_two_sizes_keep_their_own_plans() -> None:
    """By turns through one pipeline, each as if it were alone; every plan is told once."""
    net, plans = tiny_wan(), list[str]()
    planned = MemoryAwarePipeline(net, sizes_of(net), 8 * GIB, WindowConfig(5, 1), plans.append)
    low = [torch.rand(3, side, 32, generator=torch.Generator().manual_seed(side)) * 2 - 1 for side in (32, 48)]
    clips = [ClipStream(planned) for _ in low]
    out: list[list[Tensor]] = [[], []]
    for _ in range(7):
        for restorer, one, restored in zip(clips, low, out, strict=True):
            restored += restorer.push(one)
    for restorer, restored in zip(clips, out, strict=True):
        restored += restorer.finish()
    alone = OneStepPipeline(net, WindowConfig(5, 1), tile=None)
    for restored, one in zip(out, low, strict=True):
        expected = list(ClipStream(alone).pull([one] * 7))
        assert torch.allclose(torch.stack(restored), torch.stack(expected), atol=1e-5)
    assert len(plans) == 2
