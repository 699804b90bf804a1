"""Families of degradations: a seed fixes every byte, no strength changes nothing, and configs say what they refuse."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.degraded_clips import FAMILIES, both_ways, degraded, digest, moving_clip
from tests.support.paths import ROOT
from vfe.config import from_mapping
from vfe.degradations.blur import BlurConfig
from vfe.degradations.chain import Chain, StoredConfig
from vfe.degradations.codec import CodecConfig
from vfe.degradations.denoise import DenoiseConfig
from vfe.degradations.dust import DustConfig
from vfe.degradations.exposure import ExposureConfig
from vfe.degradations.fade import FadeConfig
from vfe.degradations.film import FilmConfig
from vfe.degradations.flicker import FlickerConfig
from vfe.degradations.grain import GrainConfig
from vfe.degradations.jpeg import JpegConfig
from vfe.degradations.mix import DegradationMix, Shares
from vfe.degradations.noise import NoiseConfig
from vfe.degradations.presets import PRESETS
from vfe.degradations.resize import ResizeConfig
from vfe.degradations.scratches import ScratchesConfig
from vfe.degradations.second_order import PassConfig, SecondOrderConfig
from vfe.degradations.sensor import SensorNoiseConfig
from vfe.degradations.sharpen import SharpenConfig
from vfe.degradations.tone import ToneConfig
from vfe.degradations.vividface import Degradation, DegradationConfig, degrade
from vfe.degradations.webcam import WebcamConfig


@pytest.mark.parametrize("name", FAMILIES)
def test_degraded_clips_keep_shape_and_type_and_differ_by_seed(name: str) -> None:
    for clean in (moving_clip(), moving_clip(3, 37, 51)) if name != "keep" else (moving_clip(),):
        first, second = (degraded(FAMILIES[name], clean, seed) for seed in (0, 1))
        assert first.shape == clean.shape
        assert first.dtype == torch.uint8
        assert not torch.equal(first, second)
        assert 0.5 < (first.float() - clean.float()).abs().mean() < 100


@pytest.mark.slow
def test_a_seed_fixes_every_byte_in_any_process() -> None:
    here = [digest(name) for name in FAMILIES]
    assert len(set(here)) == len(FAMILIES)
    code = f"import tests.support.degraded_clips as t; print(*map(t.digest, {list(FAMILIES)}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == here


NO_CODEC, NO_FILE = CodecConfig(share=0), StoredConfig(share=0)
NO_BLUR = BlurConfig(share=0)


def no_second_order(codec: CodecConfig = NO_CODEC) -> SecondOrderConfig:
    nothing = PassConfig(
        blur=NO_BLUR, resize=ResizeConfig(up=0, down=0), noise=NoiseConfig(share=0), jpeg=JpegConfig(share=0)
    )
    return SecondOrderConfig(first=nothing, second=nothing, ratio=(1, 1), codec=codec, stored=NO_FILE)


def no_film(codec: CodecConfig = NO_CODEC, tone: ToneConfig | None = None) -> FilmConfig:
    return FilmConfig(
        lens=NO_BLUR, tone=tone or ToneConfig(mono=0, sepia=0), fade=FadeConfig(share=0), ratio=(1, 1), codec=codec,
        flicker=FlickerConfig(share=0), grain=GrainConfig(share=0), scratches=ScratchesConfig(share=0),
        dust=DustConfig(share=0), stored=NO_FILE,
    )  # fmt: skip


def no_webcam(codec: CodecConfig = NO_CODEC) -> WebcamConfig:
    return WebcamConfig(
        lens=NO_BLUR, ratio=(1, 1), exposure=ExposureConfig(low_light=0, gain=(1, 1), balance_share=0, drift=(0, 0)),
        noise=SensorNoiseConfig(share=0), denoise=DenoiseConfig(share=0), sharpen=SharpenConfig(share=0),
        cable=CodecConfig(share=0), file=codec, stored=NO_FILE,
    )  # fmt: skip


NO_STRENGTH: dict[str, Any] = {"second_order": no_second_order, "film": no_film, "webcam": no_webcam}
"""Configs of no strength, by the family that they are of; `keep` always stores its clip."""


@pytest.mark.parametrize("family", NO_STRENGTH.values(), ids=list(NO_STRENGTH))
@pytest.mark.parametrize("size", [(64, 80), (37, 51)])
def test_no_strength_is_the_clean_clip(family: Any, size: tuple[int, int]) -> None:  # noqa: ANN401
    clean = moving_clip(4, *size)
    assert torch.equal(degraded(family(), clean, 0), clean)


@pytest.mark.parametrize("family", NO_STRENGTH.values(), ids=list(NO_STRENGTH))
def test_a_codec_alone_does_not_shift_colours(family: Any) -> None:  # noqa: ANN401
    clean = both_ways(moving_clip())
    best = CodecConfig(encoders=("libx264",), severity=(0, 0), rate_share=0)
    error = degraded(family(best), clean, 0).float() - clean.float()
    assert error.abs().max() > 0
    assert error.mean((0, 1, 2)).abs().max() < 0.5


def test_black_and_white_stock_is_asked_back_without_colour() -> None:
    clean = moving_clip()
    draw = no_film(tone=ToneConfig(mono=1, sepia=0)).draw(np.random.default_rng(0))
    target = draw.target(clean)
    assert torch.equal(draw.apply(clean, np.random.default_rng(0)), target)
    assert int((target.amax(3).int() - target.amin(3).int()).max()) == 0 < int((clean[..., 0] != clean[..., 2]).sum())
    sepia = (
        no_film(tone=ToneConfig(mono=0, sepia=1)).draw(np.random.default_rng(0)).target(clean).float().mean((0, 1, 2))
    )
    assert sepia[0] > sepia[1] > sepia[2]
    plain = no_film().draw(np.random.default_rng(0))
    assert plain.target(clean) is clean
    assert DegradationConfig().draw(np.random.default_rng(0)).target(clean) is clean


def test_what_moves_the_picture_is_off_by_default() -> None:
    rng = np.random.default_rng(0)
    names = {
        type(piece).__name__ for family in (FilmConfig(), WebcamConfig()) for _ in range(200)
        for piece in family.draw(rng).pieces
    }  # fmt: skip
    assert {"Grain", "Scratches", "SensorNoise", "Denoise"} <= names
    assert not names & {"Weave", "Interlace", "Repeat"}


def test_a_draw_applies_the_keep_formula() -> None:
    clean, draw = moving_clip(), DegradationConfig(preset="ultrafast").draw(np.random.default_rng(3))
    by_hand = degrade(clean, draw, np.random.default_rng(4), "ultrafast")
    assert torch.equal(draw.apply(clean, np.random.default_rng(4)), by_hand)


def test_the_mix_draws_families_by_their_shares() -> None:
    mix, rng = DegradationMix(), np.random.default_rng(0)
    draws = [mix.draw(rng) for _ in range(600)]
    assert sum(isinstance(draw, Degradation) for draw in draws) / 600 == pytest.approx(0.4, abs=0.06)
    pieces = [{type(piece).__name__ for piece in draw.pieces} for draw in draws if isinstance(draw, Chain)]
    assert sum("Grain" in names for names in pieces) / 600 == pytest.approx(0.15, abs=0.05)
    assert sum("Exposure" in names for names in pieces) / 600 == pytest.approx(0.2, abs=0.05)
    only = DegradationMix(shares=Shares(keep=0, second_order=0, film=1, webcam=0))
    assert list(only.families()) == ["film"]


def test_every_family_is_tried_here_and_has_a_share() -> None:
    shares = {part.name for part in fields(Shares)}
    assert FAMILIES.keys() - {"mix"} == shares
    assert NO_STRENGTH.keys() == shares - {"keep"}
    assert {part.name for part in fields(DegradationMix)} - {"shares"} == shares


def kinds_within(config: object) -> set[str]:
    """The names of the dataclasses that a config is made of, itself included."""
    if isinstance(config, tuple):
        return set().union(*(kinds_within(part) for part in config))
    if not is_dataclass(config):
        return set()
    parts = (kinds_within(getattr(config, part.name)) for part in fields(config))
    return {type(config).__name__}.union(*parts)


def test_every_piece_belongs_to_a_family() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "vfe/degradations").glob("*.py")]
    pieces = {name for source in sources for name in re.findall(r"^class (\w+Config)\b", source, re.MULTILINE)}
    families = kinds_within(DegradationMix()).union(*(kinds_within(preset.make()) for preset in PRESETS))
    assert pieces - families == set()


def test_a_mix_loads_from_a_run() -> None:
    raw = {
        "shares": {"keep": 0.5, "second_order": 0.0, "film": 0.5, "webcam": 0.0},
        "keep": {"sigma": [0.1, 3.6]}, "film": {"grain": {"sigma": [2, 9]}, "codec": {"encoders": ["mpeg4"]}},
    }  # fmt: skip
    mix = from_mapping(DegradationMix, raw, "mix")
    assert mix.film.grain.sigma == (2.0, 9.0)
    assert mix.film.codec.encoders == ("mpeg4",)
    with pytest.raises(ValueError, match=r"mix\.film: unknown keys"):
        from_mapping(DegradationMix, {"film": {"grian": {}}}, "mix")


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (Shares, {"keep": 0.9}),
        (Shares, {"keep": 0.8, "film": -0.25}),
        (SecondOrderConfig, {"ratio": (0.5, 2.0)}),
        (FilmConfig, {"ratio": (3.0, 2.0)}),
        (WebcamConfig, {"ratio": (0.0, 1.0)}),
        (BlurConfig, {"sigma": (-1.0, 2.0)}),
        (BlurConfig, {"shapes": (0.5, 0.5, 0.5)}),
        (BlurConfig, {"sinc_cutoff": (1.0, 4.0)}),
        (ResizeConfig, {"up": 0.7, "down": 0.7}),
        (ResizeConfig, {"scale": (1.2, 1.5)}),
        (NoiseConfig, {"gaussian": (5.0, 1.0)}),
        (JpegConfig, {"quality": (0, 50)}),
        (CodecConfig, {"encoders": ("betamax",)}),
        (CodecConfig, {"encoders": ()}),
        (CodecConfig, {"severity": (0.0, 1.1)}),
        (StoredConfig, {"crf": (10, 60)}),
        (ToneConfig, {"mono": 0.7, "sepia": 0.7}),
        (FadeConfig, {"black": (0.0, 200.0)}),
        (FlickerConfig, {"gain": (-0.1, 0.1)}),
        (GrainConfig, {"size": (2.0, 1.0)}),
        (ScratchesConfig, {"count": (0, 3)}),
        (DustConfig, {"share": 1.5}),
        (ExposureConfig, {"gain": (0.0, 1.0)}),
        (SensorNoiseConfig, {"chroma": (-1.0, 1.0)}),
        (DenoiseConfig, {"radius": (0, 2)}),
        (SharpenConfig, {"amount": (2.0, 1.0)}),
    ],
)
def test_configs_refuse(config: Any, wrong: dict[str, Any]) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="needed"):
        config(**wrong)
