"""What each piece of a degradation does to a clip, by its statistics; T frames, (T, 3, H, W) planes from 0 to 255."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.degraded_clips import both_ways, moving_clip
from vfe.degradations.blur import Blur, Sinc, convolve
from vfe.degradations.codec import ENCODERS, Codec, CodecConfig
from vfe.degradations.denoise import Denoise
from vfe.degradations.dropped_frames import Repeat
from vfe.degradations.dust import Dust
from vfe.degradations.exposure import Exposure
from vfe.degradations.fade import Fade
from vfe.degradations.flicker import Flicker
from vfe.degradations.frames import to_planes
from vfe.degradations.grain import Grain
from vfe.degradations.jpeg import Jpeg
from vfe.degradations.kernels import bell, sinc
from vfe.degradations.noise import Noise
from vfe.degradations.random_walk import correlated_noise, random_walk
from vfe.degradations.resize import Resize
from vfe.degradations.scratches import Scratches
from vfe.degradations.sensor import SensorNoise
from vfe.degradations.sharpen import Sharpen
from vfe.degradations.weave import Interlace, Weave
from vfe.types import VFEError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def grey(level: float = 128, frames: int = 6, side: int = 96) -> Tensor:
    return torch.full((frames, 3, side, side), float(level))


def test_a_walk_takes_small_steps_within_its_span() -> None:
    series = random_walk(1.0, 0.1, (0.9, 1.2), 200, rng())
    assert series[0] == 1
    assert np.abs(np.diff(series)).max() <= 0.1 + 1e-6
    assert 0.9 <= series.min() < 0.92 < 1.18 < series.max() <= 1.2 + 1e-6
    assert np.ptp(random_walk(1.0, 0.0, (0.5, 2.0), 9, rng())) == 0


def test_remembering_noise_has_its_variance_and_correlation() -> None:
    noise = correlated_noise(0.7, (400, 100), rng())
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert (noise[1:] * noise[:-1]).mean() == pytest.approx(0.7, abs=0.03)


def test_kernels_sum_to_one_and_widen_with_sigma() -> None:
    sigma = torch.tensor([0.8, 2.0], dtype=torch.float64)
    for shape in ("gaussian", "generalised", "plateau"):
        kernels = bell(shape, sigma, sigma / 2, 0.6, 1.5, 21)
        assert torch.allclose(kernels.sum((1, 2)), torch.ones(2))
        assert kernels[0].max() > kernels[1].max()
        assert torch.allclose(kernels, kernels.flip(1, 2), atol=1e-7)
    ringing = sinc(1.5, 21)
    assert float(ringing.sum()) == pytest.approx(1, abs=1e-5)
    assert ringing.min() < -0.001


def test_convolve_is_the_sum_over_the_kernel() -> None:
    planes, kernels = torch.from_numpy(rng().random((2, 3, 13, 18), np.float32)), torch.rand(2, 5, 5)
    kernels = kernels + kernels.flip(1, 2)
    padded = torch.nn.functional.pad(planes, (2, 2, 2, 2), mode="replicate")
    expected = sum(
        kernels[:, i, j, None, None, None] * padded[:, :, i : i + 13, j : j + 18] for i in range(5) for j in range(5)
    )
    assert torch.allclose(convolve(planes, kernels), torch.as_tensor(expected), atol=1e-4)


@pytest.mark.parametrize(
    "piece", [Blur((2.0, 1.0), 0.4), Blur((1.0, 1.0), step=0.1), Sinc(1.5, 13), Resize(0.4, "area")]
)
def test_filters_keep_a_flat_picture(piece: Blur | Sinc | Resize) -> None:
    assert torch.allclose(piece(grey(), rng()), torch.tensor(128.0), atol=1e-2)


def test_noise_has_its_sigma_and_shot_noise_follows_the_light() -> None:
    assert float((Noise(9.0)(grey(), rng()) - 128).std()) == pytest.approx(9, rel=0.03)
    same = Noise(9.0, grey=True)(grey(), rng())
    assert torch.equal(same[:, 0], same[:, 2])
    dark, light = (float((Noise(9.0, shot=True)(grey(level), rng()) - level).std()) for level in (50, 200))
    assert light / dark == pytest.approx(2, rel=0.05)


def test_jpeg_gets_worse_with_less_quality() -> None:
    planes = to_planes(moving_clip())
    errors = [float((Jpeg(quality)(planes, rng()) - planes).square().mean()) for quality in (95, 60, 20)]
    assert errors == sorted(errors)
    assert errors[0] > 0
    assert (Jpeg(95)(planes, rng()) - planes).mean((0, 2, 3)).abs().max() < 0.5


def test_grain_is_new_a_frame_clumped_strongest_in_mid_tones() -> None:
    field = Grain(10.0, 1.0, 0.0)(grey(), rng()) - 128
    assert float(field.std()) == pytest.approx(10, rel=0.05)
    assert float(field.mean()) == pytest.approx(0, abs=0.3)
    assert torch.equal(field[:, 0], field[:, 2])

    def correlation(first: Tensor, second: Tensor) -> float:
        return float((first * second).mean() / field.square().mean())

    assert correlation(field[..., 1:], field[..., :-1]) == pytest.approx(
        np.exp(-0.25), abs=0.05
    )  # exp(-d^2 / 4 size^2)
    assert abs(correlation(field[1:], field[:-1])) < 0.05
    black = Grain(10.0, 1.0, 0.0)(grey(0), rng())
    assert float(black.std()) == pytest.approx(3.5, rel=0.05)
    layers = Grain(10.0, 1.0, 0.6)(grey(), rng()) - 128
    assert float(layers.std()) == pytest.approx(10, rel=0.05)
    assert not torch.equal(layers[:, 0], layers[:, 1])


def test_scratches_stand_and_last_and_dust_lasts_one_frame() -> None:
    def change(marks: Tensor) -> Tensor:
        return (marks - 128).abs().mean(1)  # (T, H, W)

    lines = change(Scratches(1, 1.5, 0.8)(grey(frames=12), rng(1)))
    shown = lines.amax((1, 2)) > 20
    assert shown.sum() >= 4
    places = lines.mean(1).argmax(1)[shown]  # (frames that show it,)
    assert int(places.diff().abs().max()) <= 3  # it drifts, and does not jump
    columns = lines[shown].mean((0, 1))
    assert columns.topk(8).values.sum() > 0.8 * columns.sum()
    assert (lines[shown].amax(2) > 8).float().mean() > 0.5  # over most of the height

    dust = change(Dust(3.0, 0.03)(grey(frames=12), rng(1))) > 20
    assert dust.any()
    assert dust.float().mean() < 0.05
    assert (dust[1:] & dust[:-1]).sum() < 0.05 * dust.sum()


def test_flicker_changes_the_light_from_frame_to_frame() -> None:
    whole = Flicker(0.05, 0.0, 0.0)(grey(frames=200, side=4), rng())
    levels = whole.mean((1, 2, 3)).log()
    assert float(levels.std()) == pytest.approx(0.05, rel=0.15)
    assert float(whole.std((1, 2, 3)).max()) < 1e-3
    local = Flicker(0.0, 0.0, 0.05)(grey(), rng())
    assert float(local.std((2, 3)).mean()) > 2


def test_fading_puts_black_and_white_where_it_says() -> None:
    fade = Fade(40.0, 220.0, 1.0, 0.5, (1.0, 1.0, 1.0))
    assert torch.allclose(fade(grey(0), rng()), torch.tensor(40.0))
    assert torch.allclose(fade(grey(255), rng()), torch.tensor(220.0))
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 255
    spread = fade(red, rng()).amax() - fade(red, rng()).amin()
    assert float(spread) == pytest.approx(0.5 * 180, abs=0.1)


def test_exposure_gains_and_drift() -> None:
    steady = Exposure(0.5, 1.1, 0.9, 0.0)(grey(), rng()).mean((0, 2, 3))
    assert torch.allclose(steady, 64 * torch.tensor([1.1, 1.0, 0.9]), atol=0.01)
    level = Exposure(0.8, 1.0, 1.0, 0.01)(grey(frames=30), rng()).mean((1, 2, 3))
    assert 0.005 < float(level.diff().abs().max() / 102) < 0.03
    assert float(level.max() - level.min()) > 1


def test_sensor_noise_is_stronger_in_the_dark() -> None:
    dark, light = (float((SensorNoise(6.0, 3.0)(grey(level), rng()) - level).std()) for level in (60, 200))
    assert dark > 1.3 * light
    colour = SensorNoise(0.0, 3.0)(grey(), rng()) - 128
    weights = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    assert float((colour * weights).sum(1).abs().max()) < 1e-2 < float(colour.std())


def test_the_noise_filter_smears_texture_and_keeps_edges() -> None:
    noisy = Noise(4.0)(grey(), rng())
    assert Denoise(3, 15.0, 0.5)(noisy, rng()).std() < 0.4 * noisy.std()
    edge = grey(40)
    edge[..., 48:] = 220
    assert (Denoise(3, 15.0, 0.5)(edge, rng()) - edge).abs().max() < 4
    assert Sharpen(1.0, 1.0)(edge, rng()).max() > 240


def test_lost_frames_show_the_one_before() -> None:
    clip = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 3, 2, 2)
    shown = Repeat(0.5)(clip, rng())[:, 0, 0, 0]
    assert shown[0] == 0
    assert (shown <= torch.arange(10.0)).all()
    assert (shown.diff() >= 0).all()
    assert len(shown.unique()) < 10


def test_weave_is_below_a_pixel_and_fields_are_the_next_frames() -> None:
    planes = to_planes(moving_clip())
    moved = Weave(0.4)(planes, rng())
    assert 0 < (moved - planes).abs().mean() < 5
    woven = Interlace()(planes, rng())
    assert torch.equal(woven[0, :, 0::2], planes[0, :, 0::2])
    assert torch.equal(woven[0, :, 1::2], planes[1, :, 1::2])


@pytest.mark.parametrize("encoder", ENCODERS)
def test_each_encoder_returns_every_frame_in_its_colours(encoder: str) -> None:
    planes = to_planes(both_ways(moving_clip(5, 70, 45)))
    best, worst = ENCODERS[encoder].quality
    good, bad = (Codec(encoder, quality)(planes, rng()) for quality in (best, worst))
    assert good.shape == bad.shape == planes.shape
    assert (good - planes).mean((0, 2, 3)).abs().max() < 0.5
    assert (good - planes).square().mean() < (bad - planes).square().mean()
    assert torch.equal(bad, Codec(encoder, worst)(planes, rng()))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_more_bits_are_a_better_picture(encoder: str) -> None:
    planes = Noise(12.0)(to_planes(moving_clip(16, 72, 88)), rng())
    few, many = (float((Codec(encoder, 0, bits)(planes, rng()) - planes).square().mean()) for bits in (0.05, 2.0))
    assert few > 1.2 * many


@pytest.mark.parametrize("encoder", [name for name, kind in ENCODERS.items() if kind.conceals])
def test_damaged_packets_break_blocks_and_no_frame(encoder: str) -> None:
    planes = to_planes(moving_clip(12))
    whole, damaged = (Codec(encoder, 6, keyframe=6, damage=share)(planes, rng(2)) for share in (0.0, 0.8))
    assert damaged.shape == whole.shape
    assert torch.equal(damaged[0], whole[0])
    assert (damaged - whole).abs().max() > 20
    assert torch.equal(damaged, Codec(encoder, 6, keyframe=6, damage=0.8)(planes, rng(2)))


def test_only_decoders_that_conceal_errors_get_damaged_packets() -> None:
    config, generator = CodecConfig(encoders=tuple(ENCODERS), damage_share=1.0), rng()
    draws = [config.draw(generator) for _ in range(200)]
    assert all((draw.damage > 0) == ENCODERS[draw.encoder].conceals for draw in draws if draw)


def test_an_encoder_that_is_missing_is_named_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str, _mode: str) -> None:
        if name == "libvpx":
            raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av, "Codec", lacking)
    CodecConfig(encoders=("mpeg4",))
    with pytest.raises(VFEError, match="no codec libvpx: take libvpx out"):
        CodecConfig(encoders=("mpeg4", "libvpx"))
