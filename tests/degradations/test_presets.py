"""Named degradations: a seed fixes every byte, sizes stay, published ranges are kept, and wrong names are told."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.support.degraded_clips import degraded, moving_clip
from vfe.degradations.blur import Blur
from vfe.degradations.codec import Codec
from vfe.degradations.dicface import DicFaceConfig, NoiseOfEachFrame
from vfe.degradations.presets import LEVELS, NAMES, preset_family
from vfe.degradations.realbasicvsr import RealBasicVSRConfig
from vfe.degradations.resize import Resize
from vfe.types import VFEError


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_fixes_every_byte_of_a_preset(name: str) -> None:
    clean = moving_clip(4)
    once, again, other = (degraded(preset_family(name), clean, seed) for seed in (3, 3, 4))
    assert once.shape == clean.shape
    assert once.dtype == torch.uint8
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_levels_are_fixed_but_for_their_noise() -> None:
    rng = np.random.default_rng(0)
    for name, how in LEVELS.items():
        assert {preset_family(name).draw(rng) for _ in range(3)} == {how}


def test_worse_levels_are_further_from_the_clean_clip() -> None:
    clean = moving_clip(4, 96, 128)
    errors = [float((degraded(preset_family(name), clean, 0).float() - clean).square().mean()) for name in LEVELS]
    assert errors == sorted(errors)


def test_dicface_draws_within_its_published_ranges() -> None:
    rng, modes = np.random.default_rng(0), []
    for _ in range(200):
        chain = DicFaceConfig().draw(rng)
        blur, small, noise, codec = chain.pieces
        assert isinstance(blur, Blur)
        assert 0.1 <= min(blur.sigma) <= max(blur.sigma) <= 10
        assert blur.most_radius == 10
        assert isinstance(small, Resize)
        assert small.scale == 0.25
        assert noise == NoiseOfEachFrame((0.0, 10.0), 0.5)
        assert isinstance(codec, Codec)
        assert 18 <= codec.quality <= 24
        assert codec.rate == Fraction(1)
        assert chain.enlarged == small.mode
        modes.append(small.mode)
    assert modes.count("area") / len(modes) == pytest.approx(0.2, abs=0.08)


def test_noise_of_each_frame_has_its_own_strength() -> None:
    planes = torch.full((64, 3, 32, 32), 128.0)
    noisy = NoiseOfEachFrame((0.0, 10.0), 0.5)(planes, np.random.default_rng(1)) - planes
    sigmas = noisy.std((1, 2, 3))
    assert float(sigmas.min()) < 2
    assert float(sigmas.max()) > 8
    grey = (noisy[:, 0] - noisy[:, 1]).abs().amax((1, 2)) == 0
    assert float(grey.float().mean()) == pytest.approx(0.5, abs=0.2)


def test_realbasicvsr_compresses_twice_and_ends_at_a_quarter() -> None:
    rng, orders = np.random.default_rng(0), set()
    for _ in range(60):
        pieces = RealBasicVSRConfig().draw(rng).pieces
        codecs = [index for index, piece in enumerate(pieces) if isinstance(piece, Codec)]
        resizes = [piece.scale for piece in pieces if isinstance(piece, Resize)]
        assert len(codecs) == 2
        assert np.prod(resizes) == pytest.approx(1 / 4)
        orders.add(codecs[-1] == len(pieces) - 1)
    assert orders == {True, False}


def test_a_rate_per_second_costs_quality_as_it_falls() -> None:
    planes = moving_clip(6, 64, 80).permute(0, 3, 1, 2).float()
    errors = []
    for rate in (10_000, 100_000):
        codec = Codec("libx264", 0, bits_per_second=rate)
        errors.append(float((codec(planes, np.random.default_rng(0)) - planes).square().mean()))
    assert errors[0] > errors[1]


def test_an_unknown_preset_is_told_with_those_there_are() -> None:
    with pytest.raises(VFEError, match="'nope'; needed is one of mild, medium"):
        preset_family("nope")
