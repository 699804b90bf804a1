"""Tiles without seams, streams of any length, and how much memory they take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.traffic import peak_bytes
from tests.support.tiny_vae import TINY, latent_of, random_vae, use_form, video_of
from vfe.models.wan_vae import VAEPlan, WanVAE, WanVAEConfig, clip_bytes, step_bytes, tile_for
from vfe.models.wan_vae.config import frames_of, steps
from vfe.models.wan_vae.conv import Form, Target
from vfe.models.wan_vae.guard import Runner
from vfe.models.wan_vae.history import History
from vfe.models.wan_vae.passes import Strips
from vfe.models.wan_vae.tiles import Area, plan_tiles, whole
from vfe.types import Cancelled, VFEError, VideoShape

pytestmark = pytest.mark.slow

ROUNDING = 1e-5
TARGET = Target(torch.device("cpu"), torch.float32, Form.FRAMES, Strips())


@pytest.fixture
def vae() -> WanVAE:
    vae = random_vae()
    vae.plan = VAEPlan(winograd=True)
    return vae


def test_margins_are_those_that_were_measured() -> None:
    """Full tiles of Wan's need 13 latent pixels for the decoder, 8 before and 9 after for the encoder."""
    assert WanVAEConfig().up_margins == (13, 12, 10, 7)
    assert WanVAEConfig().down_margins == (8, 9)


@pytest.mark.parametrize("side", [None, 1, 3, 4, 5, 100])
def test_tiles_cover_a_grid_once_and_leave_no_slivers(side: int | None) -> None:
    grid = torch.zeros(7, 13, dtype=torch.int64)
    tiles = plan_tiles(7, 13, side)
    for tile in tiles:
        tile.of(grid, whole(grid)).add_(1)
    assert grid.eq(1).all()
    for lengths in ([tile.height for tile in tiles], [tile.width for tile in tiles]):
        assert max(lengths) <= (side or 13)
        assert max(lengths) - min(lengths) <= 1


def test_an_area_grows_only_as_far_as_the_frame() -> None:
    frame = Area(0, 20, 0, 10)
    assert Area(4, 8, 5, 9).grown(3, 4, frame) == Area(1, 12, 2, 10)
    assert Area(4, 8, 5, 9).scaled(2) == Area(8, 16, 10, 18)
    x = torch.arange(200).view(20, 10)
    assert torch.equal(Area(4, 8, 5, 9).of(x[1:12, 2:], Area(1, 12, 2, 10)), x[4:8, 5:9])


BROAD = WanVAEConfig(dim=64, multipliers=(1, 2, 2), blocks=1, temporal=(True, True))


@pytest.mark.parametrize("form", [Form.FRAMES, Form.PAIRS])
@pytest.mark.parametrize(
    ("config", "sides", "tile"),
    [
        (TINY, (32, 3), 5),
        (TINY, (3, 32), 8),
        (TINY, (32, 3), 11),
        (TINY, (3, 32), 16),
        (TINY, (12, 10), 3),
        (BROAD, (22, 16), 7),
    ],
)
def test_tiles_change_no_bit(
    config: WanVAEConfig, sides: tuple[int, int], tile: int, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sides that divide the frame's and that do not, tiles smaller than their margins, a step with a past."""
    use_form(monkeypatch, form)
    assert_tiles_change_no_bit(random_vae(config), sides, tile)


def test_tiles_change_no_bit_at_full_width() -> None:
    """Widths at which torch's own convolutions of 192 and 384 channels would sum in another order."""
    vae = random_vae(WanVAEConfig())
    vae.plan = VAEPlan(winograd=True)
    assert_tiles_change_no_bit(vae, (1, 20), 10)


def assert_tiles_change_no_bit(vae: WanVAE, sides: tuple[int, int], tile: int) -> None:
    space = vae.config.space
    video, latent = video_of(1, 5, space * sides[0], space * sides[1]), latent_of(1, 2, *sides)
    encoded, decoded = vae.encode(video), vae.decode(latent)
    vae.plan = VAEPlan(tile=tile, winograd=vae.plan.winograd)
    assert torch.equal(vae.encode(video), encoded)
    assert torch.equal(vae.decode(latent), decoded)


def spread_in_decoder(vae: WanVAE, row: int, area: Area) -> Tensor:
    """Where the frames of an area are not a number, after a row of the features was none."""
    features = torch.zeros(1, 32, 50, 2)
    features[:, :, row] = torch.nan
    return Runner(vae, vae.config, TARGET).coder.decoder.up(features, area, History()).isnan()


def spread_in_encoder(vae: WanVAE, row: int, area: Area) -> Tensor:
    """The same of the features, after a row of the frames."""
    frames = torch.zeros(1, 3, 8 * 50, 16)
    frames[:, :, row] = torch.nan
    return Runner(vae, vae.config, TARGET).coder.encoder.down(frames, area, History()).isnan()


@pytest.mark.parametrize(("row", "reaches"), [(6, False), (7, True), (42, True), (43, False)])
def test_a_tile_of_the_decoder_sees_all_that_it_needs(
    vae: WanVAE, row: int, reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """13 latent pixels: what is no number spreads as in the whole frame, and no margin may be a pixel smaller.

    But for the last one, a pixel of which is half of one that the stage before saw.
    """
    tile, frame = Area(20, 30, 0, 2), Area(0, 50, 0, 2)
    whole_frame = spread_in_decoder(vae, row, frame)
    expected = tile.scaled(8).of(whole_frame, frame.scaled(8))
    assert bool(expected.any()) == reaches
    assert torch.equal(spread_in_decoder(vae, row, tile), expected)
    for stage in range(3 if reaches else 0):
        less = tuple(margin - (i == stage) for i, margin in enumerate(WanVAEConfig().up_margins))
        with monkeypatch.context() as patch:
            patch.setattr(WanVAEConfig, "up_margins", less)
            assert not torch.equal(spread_in_decoder(vae, row, tile), expected)


@pytest.mark.parametrize(("row", "reaches"), [(160 - 62, False), (160 - 61, True), (239 + 68, True), (239 + 69, False)])
def test_a_tile_of_the_encoder_sees_all_that_it_needs(
    vae: WanVAE, row: int, reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """61 pixels before and 68 after, which are 8 and 9 latent pixels."""
    tile, frame = Area(20, 30, 0, 2), Area(0, 50, 0, 2)
    expected = tile.of(spread_in_encoder(vae, row, frame), frame)
    assert bool(expected.any()) == reaches
    assert torch.equal(spread_in_encoder(vae, row, tile), expected)
    if reaches:
        monkeypatch.setattr(WanVAEConfig, "down_margins", (7, 9) if row < 160 else (8, 8))
        assert not torch.equal(spread_in_encoder(vae, row, tile), expected)


def frames_in(video: Tensor) -> Iterator[Tensor]:
    return iter(video.unbind(2))


@pytest.mark.parametrize("per_step", [1, 2, 3])
@pytest.mark.parametrize("tile", [None, 3])
def test_streams_equal_clips(vae: WanVAE, per_step: int, tile: int | None) -> None:
    video, latent = video_of(2, 17, 32, 24), latent_of(2, 5, 4, 3)
    encoded, decoded = vae.encode(video), vae.decode(latent)
    vae.plan = VAEPlan(latents_per_step=per_step, tile=tile, winograd=True)
    assert torch.allclose(torch.stack(list(vae.encode_frames(frames_in(video))), 2), encoded, atol=ROUNDING)
    assert torch.allclose(torch.stack(list(vae.decode_latents(frames_in(latent))), 2), decoded, atol=ROUNDING)


def test_a_stream_yields_before_it_has_seen_the_end(vae: WanVAE) -> None:
    seen = 0

    def counted(frames: Iterator[Tensor]) -> Iterator[Tensor]:
        nonlocal seen
        for frame in frames:
            seen += 1
            yield frame

    latents = vae.encode_frames(counted(frames_in(video_of(1, 9, 8, 8))))
    frames = vae.decode_latents(latents)
    needed = [seen for frame in frames if frame is not None]
    assert needed == [1, *[5] * 4, *[9] * 4]


@pytest.mark.parametrize("frames", [2, 8])
def test_a_stream_that_ends_within_a_latent_is_refused(vae: WanVAE, frames: int) -> None:
    with pytest.raises(ValueError, match=f"3 x {frames} x 8 x 8, the VAE needs 3 channels, 4n"):
        list(vae.encode_frames(frames_in(video_of(1, frames, 8, 8))))


def test_a_stream_can_be_stopped(vae: WanVAE) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        next(vae.encode_frames(frames_in(video_of(1, 5, 8, 8)), stop))
    with pytest.raises(Cancelled):
        next(vae.decode_latents(frames_in(latent_of(1, 2, 1, 1)), stop))


def test_memory_of_a_stream_does_not_grow_with_it(vae: WanVAE) -> None:
    vae.prepare()

    def stream(latents: int) -> None:
        frames = (torch.zeros(1, 3, 32, 32) for _ in range(4 * latents - 3))
        for _ in vae.decode_latents(vae.encode_frames(frames)):
            pass

    stream(2)  # kernels are derived once
    short, long = (peak_bytes(lambda n=n: stream(n)) for n in (4, 12))  # type: ignore[misc]
    assert long <= 1.01 * short


@pytest.mark.parametrize(("tile", "per_step"), [(None, 1), (None, 2), (6, 1)])
def test_the_predicted_memory_is_the_measured_memory(tile: int | None, per_step: int) -> None:
    vae, shape = random_vae(), VideoShape(3, 36, 12)
    vae.plan = VAEPlan(latents_per_step=per_step, tile=tile, winograd=True)
    latent = latent_of(1, *shape)
    vae.decode(vae.encode(video_of(1, 1, 16, 16)))  # kernels are derived once
    video = 4 * 3 * (4 * shape.frames - 3) * shape.height * shape.width * 64
    peak = max(
        peak_bytes(lambda: vae.decode(latent)) - video, peak_bytes(lambda: vae.encode(vae.decode(latent))) - video
    )
    foretold = clip_bytes(shape, vae.config, 4, tile, per_step)
    assert 0.6 * foretold <= peak <= foretold


def test_the_largest_tile_that_fits_is_chosen() -> None:
    config, shape = WanVAEConfig(), VideoShape(21, 135, 240)

    def needed(tile: int | None) -> int:
        return clip_bytes(shape, config, 2, tile, 1)

    assert tile_for(needed(None), shape, config, 2, 1) is None
    tile = tile_for(needed(None) - 1, shape, config, 2, 1)
    assert tile is not None
    assert tile % 8 == 0
    for memory in (needed(tile), needed(32), needed(8)):
        chosen = tile_for(memory, shape, config, 2, 1)
        assert chosen is not None
        assert needed(chosen) <= memory < needed(chosen + 8)
    with pytest.raises(VFEError, match="MiB of memory for the VAE, its smallest tiles need"):
        tile_for(needed(8) - 1, shape, config, 2, 1)


def test_memory_grows_with_frames_sides_and_steps() -> None:
    config = WanVAEConfig()

    def needed(latents: int, height: int, tile: int | None) -> int:
        return step_bytes(VideoShape(latents, height, 64), config, 2, tile)

    assert needed(1, 64, 16) < needed(1, 64, 32) < needed(1, 64, None) < needed(2, 64, None) < needed(2, 96, None)


@pytest.mark.parametrize(("latents", "per_step"), [(1, 1), (2, 1), (6, 2), (7, 3), (21, 100)])
def test_steps_take_every_latent_and_frame_once(latents: int, per_step: int) -> None:
    parts = steps(latents, per_step)
    assert [index for part in parts for index in part] == list(range(latents))
    assert parts[0] == range(1)
    assert all(len(part) <= per_step for part in parts)
    frames: list[Any] = list(range(4 * latents - 3))
    assert [frame for part in parts for frame in frames[frames_of(part, 4)]] == frames
